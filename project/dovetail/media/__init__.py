"""Checks uploaded images by content, re-encodes them without metadata, and serves uploads.

    cover = ImageField(upload_to=RandomName("covers"))  # dovetail.media.fields and .names

Set `IMAGE_MAX_BYTES`, `IMAGE_MAX_PIXELS`, `IMAGE_MAX_SIDE`, `IMAGE_DECODES` and
`IMAGE_UPLOADS_PER_MINUTE`, and `FILE_UPLOAD_HANDLERS` to those of `dovetail.media.uploads`.
`dovetail.media.cleanup` deletes files that no row refers to any more, and `dovetail.media.orphans`
those that were left over. `dovetail.media.variants` declares smaller variants of an image.

    urlpatterns += upload_urls()  # dovetail.media.serving

serves what is stored below `MEDIA_ROOT` to those who may see it (`dovetail.media.access`).
"""
