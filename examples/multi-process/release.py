"""Runs once before each release goes live, as a database migration would. A failure stops the release."""

import os
import sys

if os.environ.get("FAIL_RELEASE"):
    sys.exit("release: FAIL_RELEASE is set, so this release must not go live")
print("release: everything is ready")
