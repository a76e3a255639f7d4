"""Checks uploaded images by content, re-encodes them without metadata, and serves uploads.

    cover = ImageField(upload_to=RandomName("covers"))  # dovetail.media.fields and .names

Set `IMAGE_MAX_BYTES`, `IMAGE_MAX_PIXELS` and `IMAGE_MAX_SIDE`. `dovetail.media.cleanup` deletes
files that no row refers to any more.

    urlpatterns += upload_urls()  # dovetail.media.serving

serves what is stored below `MEDIA_ROOT`.
"""
