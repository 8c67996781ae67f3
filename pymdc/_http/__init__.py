"""Requests over the network: one at a time, watched while they go."""

from __future__ import absolute_import, division, print_function
