"""Checks uploaded images by content and re-encodes them without metadata.

    def clean_cover(self):
        return clean_image(self.cleaned_data["cover"])  # dovetail.media.images

Set `IMAGE_MAX_BYTES`, `IMAGE_MAX_PIXELS` and `IMAGE_MAX_SIDE`.
"""
