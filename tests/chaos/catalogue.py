# SPDX-License-Identifier: PostgreSQL
"""All faults that can be played, by name."""

import backend_faults  # noqa: F401
import client_faults  # noqa: F401
import feed_faults  # noqa: F401
import machine_faults  # noqa: F401
import service_faults  # noqa: F401
import store_faults  # noqa: F401
import suite_faults  # noqa: F401
from trial import FAULTS  # noqa: F401
