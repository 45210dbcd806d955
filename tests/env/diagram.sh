#!/usr/bin/env bash
# diagram.sh: make docs/architecture.svg of docs/architecture.dot, with graphviz. Its first comment
# has the digest of what it was made of, and a test holds that.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/env/setup.sh graphviz
digest=$(sha256sum docs/architecture.dot | cut -d' ' -f1)
dot -Tsvg docs/architecture.dot | grep -v '^<!--\|^ -->' |
  sed "s/^<svg /<!-- made of architecture.dot $digest -->\n&/" >docs/architecture.svg
