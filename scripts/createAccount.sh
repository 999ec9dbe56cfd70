#!/bin/sh
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
exec "$here/../mailpod" account create "$@"
