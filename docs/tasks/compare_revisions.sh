#!/usr/bin/env bash
# Runs a suite on two revisions of the repository it stands in, compares them, and fails by the gate.
#
#   compare_revisions.sh BASE HEAD OUT [flags of `punie-trace run`, such as --suite and --agent]
#
# In OUT: the runs, compare.html, compare.junit.xml, compare.openmetrics.txt, compare.json. The exit code is that of the
# gate: 0 as fast, 1 slower, 3 not known (more ROUNDS tell more).
#
#   ROUNDS=2             server starts on each side, in the order base head, head base, …
#   FAIL_ABOVE=10%       how much slower end to end fails
#   AND_ABOVE=200ms      and by how much a query
#   PUNIE=punie-trace    how to call it
set -euo pipefail

base=$1 head=$2 out=$3
shift 3
punie=${PUNIE:-punie-trace}
mkdir -p "$out"
out=$(cd "$out" && pwd)
trees=$(mktemp -d)
cleanup() {
  git worktree remove --force "$trees/base" 2>/dev/null || true
  git worktree remove --force "$trees/head" 2>/dev/null || true
  rm -rf "$trees"
}
trap cleanup EXIT
git worktree add --quiet --detach "$trees/base" "$base"
git worktree add --quiet --detach "$trees/head" "$head"

run() { # side, flags…: one server start
  local side=$1
  shift
  echo "--- $side" >&2
  (cd "$trees/$side" && PYTHONPATH=. $punie run --no-export --runs "$out/$side" --output - "$@" >"$out/$side.txt")
}

for ((round = 0; round < ${ROUNDS:-2}; round++)); do
  # in turns, so that a machine that slows down slows both sides
  if ((round % 2)); then sides="head base"; else sides="base head"; fi
  for side in $sides; do run "$side" "$@"; done
done

sides=(--a "$out"/base/* --b "$out"/head/*)
gate=(--fail-above "${FAIL_ABOVE:-10%}" --and "${AND_ABOVE:-200ms}")
for format in html junit.xml openmetrics.txt; do
  $punie compare "${sides[@]}" "${gate[@]}" -o "$out/compare.$format" --force 2>/dev/null || [ $? -le 3 ]
done
code=0
$punie compare "${sides[@]}" "${gate[@]}" -o "$out/compare.json" --force || code=$?
exit "$code"
