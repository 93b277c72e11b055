#!/bin/bash -eu
# Builds the fuzz targets into $OUT, each with its seeds, its dictionary and its options.
# Beside what OSS-Fuzz sets, for trials: FUSEWALL_FUZZ_TARGETS (without it: all) and FUSEWALL_FUZZ_FLAGS (for `cargo fuzz build`).

cd "$SRC/fusewall"
targets=${FUSEWALL_FUZZ_TARGETS:-$(cargo fuzz list)}
triple=$(rustc -vV | sed -n 's/^host: //p')

for target in $targets; do
  # shellcheck disable=SC2086 # these are several words, or none
  cargo fuzz build -O --debug-assertions ${FUSEWALL_FUZZ_FLAGS:-} "$target"
  cp "fuzz/target/$triple/release/$target" "$OUT/"

  seeds="fuzz/seeds/$target"
  [ ! -d "fuzz/regressions/$target" ] || seeds="$seeds fuzz/regressions/$target"
  # Inputs of two folders may have one name: each goes by what is in it.
  corpus=$(mktemp -d)
  find $seeds -type f -exec sh -c 'cp "$1" "$2/$(sha1sum <"$1" | cut -c1-40)"' _ {} "$corpus" \;
  rm -f "$OUT/${target}_seed_corpus.zip"
  zip -q -j -r "$OUT/${target}_seed_corpus.zip" "$corpus"
  rm -r "$corpus"

  cp fuzz/oss-fuzz/libfuzzer.options "$OUT/$target.options"
  dictionary=$(sed -n "s/^$target //p" fuzz/dictionaries/targets.txt)
  [ -z "$dictionary" ] || cp "fuzz/dictionaries/$dictionary.dict" "$OUT/$target.dict"
done
