#!/usr/bin/env python3
"""What PCRE2 says about patterns and texts, for `cargo test --test pcre`.

Needs Python 3 and the shared library of PCRE2 (Debian: libpcre2-8-0), which is called with the options of ModSecurity v2:
DOTALL and DOLLAR_ENDONLY, bytes. Two commands:

    pcre2.py fill tests/data/pcre.tsv
        Fills in the third column of a table, in place. Rows with a note in the fourth column are left alone: there we
        mean to differ, and the note says why.

    pcre2.py generate --rules DIR --corpus FILE.jsonl.gz [--corpus ...] [--seed N] > FILE
        Writes a large table: the @rx patterns of a rules directory on texts of the corpora, and random patterns on
        random texts. `FUSEWALL_PCRE_ORACLE=FILE cargo test --test pcre` compares.

A table has four columns, separated by tabs: pattern, text, what is expected, note. Pattern and text are percent-encoded where
they are not printable ASCII. An empty pattern column repeats the pattern above; the empty pattern is written `%`. Expected
are the spans of the match and its groups, `0-3 1-2 -`, or `none`, or `!N`: refused, with PCRE2's error number.
"""

import argparse
import base64
import ctypes
import glob
import gzip
import itertools
import json
import random
import re
import sys
import urllib.parse

DOTALL, DOLLAR_ENDONLY = 0x20, 0x10
NO_MATCH, UNSET = -1, ctypes.c_size_t(-1).value

size, pointer = ctypes.c_size_t, ctypes.c_void_p
lib = ctypes.CDLL("libpcre2-8.so.0")
lib.pcre2_compile_8.restype = pointer
lib.pcre2_compile_8.argtypes = [ctypes.c_char_p, size, ctypes.c_uint32, ctypes.POINTER(ctypes.c_int),
                                ctypes.POINTER(size), pointer]
lib.pcre2_code_free_8.argtypes = [pointer]
lib.pcre2_match_data_create_8.restype = pointer
lib.pcre2_match_data_create_8.argtypes = [ctypes.c_uint32, pointer]
lib.pcre2_match_8.argtypes = [pointer, ctypes.c_char_p, size, size, ctypes.c_uint32, pointer, pointer]
lib.pcre2_get_ovector_pointer_8.restype = ctypes.POINTER(size)
lib.pcre2_get_ovector_pointer_8.argtypes = [pointer]
lib.pcre2_pattern_info_8.argtypes = [pointer, ctypes.c_uint32, pointer]
match_data = lib.pcre2_match_data_create_8(200, None)


class Pattern:
    """A compiled pattern, or its error number."""

    def __init__(self, text):
        error, offset = ctypes.c_int(), size()
        self.code = lib.pcre2_compile_8(text, len(text), DOTALL | DOLLAR_ENDONLY, error, offset, None)
        self.error = error.value
        self.groups = 0
        if self.code:
            count = ctypes.c_uint32()
            lib.pcre2_pattern_info_8(self.code, 4, ctypes.byref(count))
            self.groups = count.value

    def expect(self, text):
        """The third column; None if PCRE2 gave up (its match limit)."""
        if not self.code:
            return f"!{self.error}"
        found = lib.pcre2_match_8(self.code, text, len(text), 0, 0, match_data, None)
        if found == NO_MATCH:
            return "none"
        if found < 0:
            return None
        spans = lib.pcre2_get_ovector_pointer_8(match_data)
        groups = ((spans[2 * n], spans[2 * n + 1]) for n in range(self.groups + 1))
        return " ".join("-" if start == UNSET else f"{start}-{end}" for start, end in groups)

    def free(self):
        if self.code:
            lib.pcre2_code_free_8(self.code)


def encode(text):
    plain = "".join(chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x25 else f"%{byte:02X}" for byte in text)
    plain = plain if plain.strip(" ") == plain else plain.replace(" ", "%20")
    return "%23" + plain[1:] if plain.startswith("#") else plain


def decode(text):
    return b"" if text == "%" else urllib.parse.unquote_to_bytes(text)


def fill(path):
    rows, pattern = [], Pattern(b"")
    for line in open(path, encoding="ascii"):
        if line.startswith("#") or not line.strip():
            rows.append(line)
            continue
        columns = (line.rstrip("\n").split("\t") + ["", "", ""])[:4]
        if columns[0]:
            pattern.free()
            pattern = Pattern(decode(columns[0]))
        if not columns[3]:
            columns[2] = pattern.expect(decode(columns[1]))
        rows.append("\t".join(columns).rstrip("\t") + "\n")
    open(path, "w", encoding="ascii").writelines(rows)


# ---- texts and patterns --------------------------------------------------------------------------------------------------


def rule_patterns(directory):
    """The distinct @rx patterns of rule files."""
    found = {}
    for path in sorted(glob.glob(directory + "/*.conf")):
        text = re.sub(rb"\\\r?\n\s*", b"", open(path, "rb").read())
        text = re.sub(rb"(?m)^\s*#.*", b"", text)
        for match in re.finditer(rb'"!?@rx ((?:\\.|[^"\\])*)"', text):
            found[match[1].replace(rb"\"", b'"')] = None
    return list(found)


def corpus_texts(paths, count, rng):
    """Values of recorded requests: decoded parameters, header values, bodies; at most 400 bytes of each."""
    texts = set()
    for path in paths:
        lines = gzip.open(path, "rb").read().splitlines()
        for line in rng.sample(lines, min(len(lines), 4 * count)):
            request = json.loads(line)
            texts.update(value.encode() for _, value in request["headers"])
            pieces = [request["uri"].encode()]
            if request.get("body_b64"):
                pieces.append(base64.b64decode(request["body_b64"]))
            for piece in pieces:
                texts.add(piece[:400])
                texts.update(urllib.parse.unquote_to_bytes(value.replace(b"+", b" "))[:400]
                             for value in re.split(rb"[?&=]", piece)[:20])
    return rng.sample(sorted(texts), min(len(texts), count))


ATOMS = [b"a", b"b", b"c", b"A", b"1", b"_", b"-", b"\n", b" ", b".", rb"\w", rb"\W", rb"\d", rb"\s", rb"\S", rb"\h", rb"\v",
         rb"\x61", rb"\x{62}", rb"\012", rb"\n", rb"\N", b"[ab]", b"[^a]", b"[a-c1]", b"[^\\w]", b"[[:alpha:]]", b"[[:^lower:]]",
         b"[\\s-]", b"[]a]", b"[^]b]", b"{", b"}", b"{,2}", b"\xe9", b"[\x80-\xff]", b"ab", b"bc", b"(?#x)", b"[a&&b]", b"[a[b]"]
LOOKS = [b"^", b"$", rb"\b", rb"\B", rb"\A", rb"\z", b"[[:<:]]", b"[[:>:]]"]
# Without `{0}`: PCRE2 10.42 takes a pattern for anchored because of a `^` that is repeated no times.
QUANTIFIERS = [b"*", b"+", b"?", b"{2}", b"{0,2}", b"{1,}", b"{1,3}", b"{2,}"]
HEADS = [b"(", b"(?:", b"(?:", b"(?i:", b"(?-s:", b"(?U:", b"(?x: ", b"(?<n>", b"(?i-i:", b"(?^:"]
# For tables of what is legal: pieces that are thrown together without a grammar.
SCRAPS = [b"a", b"b", b"-", b"]", b"[", b"[^", b"^", b"$", b"(", b")", b"(?:", b"(?i)", b"(?x)", b"(?xx)", b"(?m)$", b"|", b"*", b"+",
          b"?", b"{", b"}", b",", b"{2}", b"{1,2}", b"{,2}", b"{2,1}", b"\\Q", b"\\E", b"\\", b"\\x", b"\\x{", b"\\x{61}", b"\\o{141}",
          b"\\0", b"\\1", b"\\12", b"\\8", b"\\c", b"\\e", b"\\w", b"\\b", b"\\B", b"\\N", b"\\R", b"\\Z", b"\\z", b"[:alpha:]", b"[:^digit:]",
          b"[:foo:]", b"[.", b".]", b"[=", b":]", b"&&", b"#", b" ", b"\n", b"(?#", b"(?<n>", b"(?P<m>", b"(?'o'", b"(?-i)", b"(?", b"\\d",
          b"\\p", b"\\i", b"\\_", b"\\\xe9", b"\xe9", b"0", b"7", b"(?J)", b"(?n)", b"(?U)", b"(?^", b"\\h", b"\\v", b"\\G", b"\\C"]


def random_pattern(rng, depth=3):
    branches = []
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
        sequence = b""
        for _ in range(rng.choice([0, 1, 1, 2, 2, 3, 4])):
            if rng.random() < 0.12:
                sequence += rng.choice(LOOKS)
                continue
            if depth and rng.random() < 0.35:
                item = rng.choice(HEADS) + random_pattern(rng, depth - 1) + b")"
            else:
                item = rng.choice(ATOMS)
            if rng.random() < 0.4 and not item.startswith(b"(?#"):
                item += rng.choice(QUANTIFIERS) + rng.choice([b"", b"", b"?"])
            sequence += item
        branches.append(sequence)
    return b"|".join(branches)


def random_text(rng):
    return b"".join(rng.choice([b"a", b"b", b"c", b"A", b"B", b"1", b"_", b"-", b" ", b"\n", b"]", b"{", b"\xe9", b"ab", b"&", b"\t"])
                    for _ in range(rng.choice([0, 1, 2, 3, 4, 6, 9])))


def generate(arguments):
    rng = random.Random(arguments.seed)
    texts = corpus_texts(arguments.corpus, arguments.texts, rng) if arguments.corpus else []
    rules = rule_patterns(arguments.rules) if arguments.rules else []
    written = 0
    jobs = itertools.chain(
        ((pattern, texts + [b"", b"\n", pattern[:200]]) for pattern in rules),
        ((random_pattern(rng), [random_text(rng) for _ in range(8)]) for _ in range(arguments.patterns)),
        ((b"".join(rng.choice(SCRAPS) for _ in range(rng.randint(1, 7))), [random_text(rng) for _ in range(4)])
         for _ in range(arguments.patterns)))
    for pattern_text, subjects in jobs:
        pattern, first = Pattern(pattern_text), encode(pattern_text) or "%"
        for subject in subjects:
            expected = pattern.expect(subject)
            if expected is not None:
                print(first, encode(subject), expected, sep="\t")
                first, written = "", written + 1
            if not pattern.code:
                break
        pattern.free()
    print(f"{len(rules)} rule patterns, {len(texts)} corpus texts, {written} rows", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("fill")
    command.add_argument("path")
    command.set_defaults(run=lambda arguments: fill(arguments.path))
    command = commands.add_parser("generate")
    command.add_argument("--rules", help="directory of .conf files")
    command.add_argument("--corpus", action="append", help=".jsonl.gz of requests")
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--texts", type=int, default=600, help="corpus texts")
    command.add_argument("--patterns", type=int, default=20_000, help="random patterns of each of the two kinds")
    command.set_defaults(run=generate)
    arguments = parser.parse_args()
    arguments.run(arguments)


main()
