"""The same uploads, from the browser to S3 and from there to the page."""

from tests.e2e.test_uploads import (
    test_cover_is_uploaded_while_the_form_is_filled_in,
    test_form_that_is_sent_early_waits_for_the_upload,
    test_upload_is_canceled,
    test_upload_is_tried_again,
    test_wrong_file_is_an_error_of_the_field,
)

__all__ = [
    "test_cover_is_uploaded_while_the_form_is_filled_in",
    "test_form_that_is_sent_early_waits_for_the_upload",
    "test_upload_is_canceled",
    "test_upload_is_tried_again",
    "test_wrong_file_is_an_error_of_the_field",
]
