#!/usr/bin/env bash
# Takes down every testbed that is registered on this machine.
. "$(dirname "$0")/env.sh"
bed list
bed down --all
