"""Files on their way: what is uploaded, and the shards that make a download."""

from __future__ import absolute_import, division, print_function
