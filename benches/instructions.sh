#!/usr/bin/env bash
# Instructions that fixed requests take (benches/instructions.rs), counted by callgrind and compared with the record: more than 3 % up
# is a failure, more than 3 % down asks for a new record. FUSEWALL_BLESS=1 writes it. Without valgrind nothing is compared, and said so.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null; then
  echo "left out: instruction counts (needs valgrind)"
  exit 0
fi

program=$(cargo bench --bench instructions --no-run --message-format=json 2>/dev/null |
  sed -n 's/.*"name":"instructions".*"executable":"\([^"]*\)".*/\1/p' | tail -1)
out=$(mktemp)
trap 'rm -f "$out"' EXIT
valgrind --tool=callgrind --callgrind-out-file="$out" --collect-atstart=no --toggle-collect='*counted_*' "$program" 2>/dev/null
# Callers' lines name the functions, too: the largest number is the function's own.
counts=$(callgrind_annotate --inclusive=yes --threshold=100 --show-percs=no "$out" 2>/dev/null |
  sed -n 's/^ *\([0-9,]*\) .*instructions::counted_\([a-z]*\).*/\2 \1/p' | tr -d , |
  awk '$2 > most[$1] { most[$1] = $2 } END { for (class in most) print class, most[class] }' | sort)

record=benches/record/instructions.txt
if [ -n "${FUSEWALL_BLESS:-}" ]; then
  printf '%s\n' "$counts" >"$record"
fi
awk '
  NR == FNR { recorded[$1] = $2; next }
  { now[$1] = $2 }
  END {
    for (class in recorded) {
      if (!(class in now)) { print class ": not counted"; failed = 1; continue }
      change = 100 * (now[class] / recorded[class] - 1)
      printf "%-10s %12d instructions, %12d recorded, %+.1f %%\n", class, now[class], recorded[class], change
      if (change > 3) failed = 1
      if (change < -3) print class ": takes less than the record says; FUSEWALL_BLESS=1 writes it anew"
    }
    exit failed
  }' "$record" <(printf '%s\n' "$counts")
