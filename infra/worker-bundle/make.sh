#!/usr/bin/env bash
# Makes hearth-worker.tar.xz: agent, trainer, the binding's sources and the .NET runtime, for a GPU machine that has a
# driver, python3's torch and g++, but no .NET SDK.      Usage: make.sh OUTDIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${1:?usage: make.sh OUTDIR}
command -v dotnet >/dev/null || { echo "The .NET SDK is missing; it publishes the programs of the bundle." >&2; exit 1; }
mkdir -p "$out"
out=$(cd "$out" && pwd)
stage=$out/hearth-worker
rm -rf "$stage"
mkdir -p "$stage/native"

for part in Agent Training; do
  dotnet publish "$root/Worker/$part" -c Release -o "$stage/app" --no-self-contained -p:DebugType=none -nologo -v q
done
rm -f "$stage"/app/*.xml
cp "$root"/Worker/native/*.{cpp,h,sh} "$stage/native/"
cp -r "$root"/Worker/native/{ops,cuda} "$stage/native/"
cp "$here/hearth-worker" "$stage/"

# The runtime that the programs were built for: host, hostfxr and the base framework, nothing of ASP.NET or the SDK.
read -r version shared < <(dotnet --list-runtimes | sed -n 's/^Microsoft.NETCore.App \(10[^ ]*\) \[\(.*\)\]$/\1 \2/p' | sort -V | tail -n 1)
[ -n "${version:-}" ] || { echo "No Microsoft.NETCore.App 10 runtime beside this SDK." >&2; exit 1; }
dotnet_root=$(cd "$shared/../.." && pwd)
mkdir -p "$stage/dotnet/host/fxr" "$stage/dotnet/shared/Microsoft.NETCore.App"
cp "$dotnet_root/dotnet" "$stage/dotnet/"
cp -r "$dotnet_root/host/fxr/$version" "$stage/dotnet/host/fxr/"
cp -r "$shared/$version" "$stage/dotnet/shared/Microsoft.NETCore.App/"
cp "$dotnet_root/LICENSE.txt" "$dotnet_root/ThirdPartyNotices.txt" "$stage/dotnet/"

tar -C "$out" --sort=name --owner=0 --group=0 -cf - hearth-worker | xz -T0 -3 >"$out/hearth-worker.tar.xz"
rm -rf "$stage"
echo "$out/hearth-worker.tar.xz ($(du -m "$out/hearth-worker.tar.xz" | cut -f1) MB)"
