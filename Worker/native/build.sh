#!/usr/bin/env bash
# Builds libhearth_torch.so against the first libtorch found: HEARTH_LIBTORCH, the torch of python3, Debian's libtorch-dev.
# Usage: build.sh OUTDIR      Does nothing when sources and libtorch are unchanged.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: build.sh OUTDIR}
mkdir -p "$out"
out=$(cd "$out" && pwd)
library=$out/libhearth_torch.so
sources=("$here"/*.cpp "$here"/ops/*.cpp)

find_libtorch() {
  if [ -n "${HEARTH_LIBTORCH:-}" ]; then
    echo "$HEARTH_LIBTORCH"
  elif torch=$(python3 -c 'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")' 2>/dev/null) &&
      [ -n "$torch" ] && [ -d "$torch/include" ]; then
    echo "$torch"
  elif [ -f /usr/include/torch/version.h ] || [ -f /usr/include/torch/library.h ]; then
    echo /usr
  else
    echo "No libtorch found. Install it (apt install libtorch-dev libopenblas0-pthread), or point HEARTH_LIBTORCH at one." >&2
    return 1
  fi
}

fresh() {
  [ -f "$library" ] && [ -f "$out/libtorch" ] && [ "$(cat "$out/libtorch")" = "${HEARTH_LIBTORCH:-}" ] &&
    [ -z "$(find "$here" -newer "$library" -name '*.[ch]*' -print -quit)" ] && [ ! "$here/build.sh" -nt "$library" ]
}

fresh && exit 0
root=$(find_libtorch)
if [ "$root" = /usr ]; then
  libraries=$(dirname "$(find /usr/lib -name libtorch_cpu.so -print -quit)")
else
  libraries=$root/lib
fi
flags=(-std=c++17 -O3 -fPIC -fvisibility=hidden -Wall -fno-math-errno -I"$root/include" -I"$root/include/torch/csrc/api/include")
links=(-L"$libraries" -Wl,-rpath,"$libraries" -ltorch_cpu -lc10)
# PyTorch's own builds say which C++ string ABI they use; Debian's follows the compiler.
if [ "$root" != /usr ] && strings -a "$libraries/libc10.so" 2>/dev/null | grep -q 'pre-cxx11'; then flags+=(-D_GLIBCXX_USE_CXX11_ABI=0); fi
if [ "$root" != /usr ] && compgen -G "$libraries/libtorch_cuda.so" >/dev/null; then
  flags+=(-DHEARTH_CUDA -I/usr/local/cuda/include)
  # The headers of the runtime also come with PyTorch's own wheels, where there is no toolkit.
  for include in "$root"/../nvidia/*/include; do [ ! -d "$include" ] || flags+=("-I$include"); done
  links+=(-Wl,--no-as-needed -ltorch_cuda -lc10_cuda)
  sources+=("$here"/cuda/*.cpp)
fi
objects=()
pids=()
for source in "${sources[@]}"; do
  object=$out/$(basename "${source%.cpp}").o
  objects+=("$object")
  if [ ! -f "$object" ] || [ "$source" -nt "$object" ] || [ -n "$(find "$here" -newer "$object" \( -name '*.h' -o -name '*.cu' -o -name build.sh \) -print -quit)" ] ||
      [ "$(cat "$out/libtorch" 2>/dev/null)" != "${HEARTH_LIBTORCH:-}" ]; then
    own=()
    if [[ $source == *_avx2.cpp && $(uname -m) == x86_64 ]]; then own=(-mavx2 -mfma); fi
    g++ "${flags[@]}" "${own[@]}" -c "$source" -o "$object" & pids+=($!)
    if [ ${#pids[@]} -ge "$(nproc)" ]; then wait "${pids[0]}"; pids=("${pids[@]:1}"); fi
  fi
done
for pid in "${pids[@]}"; do wait "$pid"; done
g++ -shared "${objects[@]}" "${links[@]}" -o "$library.new"
mv "$library.new" "$library"
printf '%s' "${HEARTH_LIBTORCH:-}" >"$out/libtorch"
