#!/usr/bin/env python3
"""Asks the C library libinjection what it makes of strings, for tests/oracle_libinjection.rs to compare.

The library is in Debian's package libmodsecurity3, whose libmodsecurity.so.3 exports it (version 3.9.2).

    libinjection.py words                    compares the word lists in src/detect/data with the library's
    libinjection.py answers < STRINGS        answers strings, one a line, as a line of the table described below
    libinjection.py compare [CORPUS_DIR]     answers the corpus and random strings, then runs the Rust side on them

A line of the table: the string, printable ASCII but for the backslash, which starts `\\xNN`; the fingerprint if it is SQL
injection, else `-`; 1 or 0 for cross-site scripting; the fingerprints of the six readings (no quote, `'`, `"`, each ANSI, then
MySQL), `-` for an empty one; 1 or 0 for the five contexts (text, tag, and the values in `'`, `"`, backquotes).
"""
import base64
import ctypes
import gzip
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
BODY_MAX = 64 * 1024
SOUP = int(os.environ.get("FUSEWALL_ORACLE_SOUP", "300000"))
SEED = int(os.environ.get("FUSEWALL_ORACLE_SEED", "1"))

QUOTES, DIALECTS = (1, 2, 4), (8, 16)
LOOKUP_WORD = 1


class Oracle:
    def __init__(self) -> None:
        lib = ctypes.CDLL("libmodsecurity.so.3")
        text, size = ctypes.c_char_p, ctypes.c_size_t
        lib.libinjection_version.restype = text
        lib.libinjection_sqli.argtypes = [text, size, text]
        lib.libinjection_xss.argtypes = [text, size]
        lib.libinjection_is_xss.argtypes = [text, size, ctypes.c_int]
        lib.libinjection_sqli_init.argtypes = [ctypes.c_void_p, text, size, ctypes.c_int]
        lib.libinjection_sqli_fingerprint.argtypes = [ctypes.c_void_p, ctypes.c_int]
        lib.libinjection_sqli_fingerprint.restype = text
        lib.libinjection_sqli_lookup_word.argtypes = [ctypes.c_void_p, ctypes.c_int, text, size]
        lib.libinjection_sqli_lookup_word.restype = ctypes.c_char
        self.lib = lib
        self.version = lib.libinjection_version().decode()
        self.print = ctypes.create_string_buffer(16)
        self.state = ctypes.create_string_buffer(8192)

    def line(self, string: bytes) -> str:
        lib, size = self.lib, len(string)
        # The library takes the byte FF in a tag for the end of the input (its char is signed and its EOF is -1), which hides
        # an attack behind it. We do not follow it there. FE is another byte of no meaning, without that effect.
        markup = string.replace(b"\xff", b"\xfe")
        sqli = self.print.value.decode() if lib.libinjection_sqli(string, size, self.print) else "-"
        xss = lib.libinjection_xss(markup, size)
        readings = []
        for flags in (quote | dialect for quote in QUOTES for dialect in DIALECTS):
            lib.libinjection_sqli_init(self.state, string, size, flags)
            readings.append(lib.libinjection_sqli_fingerprint(self.state, flags).decode() or "-")
        contexts = "".join(str(lib.libinjection_is_xss(markup, size, context)) for context in range(5))
        return "\t".join([escape(string), sqli, str(xss), " ".join(readings), contexts])

    def is_hidden(self, string: bytes) -> bool:
        markup = string.replace(b"\xff", b"\xfe")
        return self.lib.libinjection_xss(string, len(string)) != self.lib.libinjection_xss(markup, len(markup))

    def word(self, word: bytes) -> str:
        return self.lib.libinjection_sqli_lookup_word(None, LOOKUP_WORD, word, len(word)).decode()


def escape(string: bytes) -> str:
    return "".join(chr(b) if 32 <= b < 127 and b != 92 else f"\\x{b:02x}" for b in string)


def unescape(text: str) -> bytes:
    return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())


def words(oracle: Oracle) -> int:
    """The lists against the library; and every string in the library that it knows against the lists."""
    data = ROOT / "src/detect/data"
    listed = {}
    for line in (data / "keywords.txt").read_text().splitlines():
        if not line.startswith("# "):
            listed[line[2:]] = line[0]
    for line in (data / "fingerprints.txt").read_text().splitlines():
        if not line.startswith("# "):
            listed.update((f"0{text}", "F") for text in line.split())
    wrong = [word for word, kind in listed.items() if oracle.word(word.encode()) != kind]
    unlisted = set()
    with open("/proc/self/maps") as maps:
        path = next(line.split()[-1] for line in maps if "libmodsecurity.so" in line)
    for text in set(re.findall(rb"[\x20-\x7e]{1,64}(?=\0)", pathlib.Path(path).read_bytes())):
        # Linkers keep a string that ends another one only once.
        for start in range(len(text)):
            word = text[start:].upper()
            if word.decode() not in listed and oracle.word(word) != "\0":
                unlisted.add(word.decode())
    print(f"{len(listed)} words and fingerprints, {len(wrong)} wrong, {len(unlisted)} missing")
    print(*wrong, *sorted(unlisted), sep="\n")
    return bool(wrong or unlisted)


def corpus_strings(folder: pathlib.Path):
    """URI parts, parameter values raw and decoded, header values, bodies and their parts."""
    for path in sorted(folder.rglob("*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            for line in lines:
                request = json.loads(line)
                uri = request["uri"].encode()
                yield uri
                yield from parameters(uri.partition(b"?")[2])
                yield from (value.encode() for _, value in request["headers"])
                body = base64.b64decode(request.get("body_b64") or "")[:BODY_MAX]
                yield body
                if len(body) < BODY_MAX:
                    yield from parameters(body)
                    yield from json_strings(body)
                    yield from body.splitlines()


def parameters(query: bytes):
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        for part in (name, value):
            yield part
            decoded = urllib.parse.unquote_to_bytes(part.replace(b"+", b" "))
            yield decoded
            yield urllib.parse.unquote_to_bytes(decoded)


def json_strings(body: bytes):
    try:
        stack = [json.loads(body)]
    except (ValueError, RecursionError):
        return
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack.extend(value.keys())
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, str):
            yield value.encode(errors="surrogatepass")


class Soup:
    """Random strings made of what the tokenisers tell apart."""

    SQL = """' " ` '' "" \\ \\' \\\\ ( ) (( )) { } [ ] , ; ;; : :: . .. ? @ @@ @a @`a` @'a' @@" $ $$ $a$ $1,0.0 $. # -- --\\x20 --x
        /* */ /**/ /*! /*/*/ /*/ - + ! !! ~ * / % ^ & && | || < > <= >= <=> <> = == != := | \\N \\x00 \\x0a \\xa0 \\xff \\x7f
        0 1 12 1.5 .5 1. 1e5 1e 1.e+ 0x 0x1F 0b 0b01 1f 1d; 1fU x'1f' b'01' b'2' x'g' e'a' n'a' q'(a)' q'!a!' nq'[a]' u&'a'
        E' N' Q'< U&' foo a_b a.b select.1 select`a` union.union xx.yy.zz sp_password if( user( user(1 current_user(
        in( not\\x20in like( not\\x20like int collate utf8_bin outfile aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa""".split()
    HTML = """< > </ /> <! <? <% %> <!-- --> -!> -- - <![CDATA[ ]]> ] <!doctype <a <b <script <svg <xsl:x <x\\x00ml <style <\\x00b </a
        </> </a> / // = == ' " ` \\x20 \\x09 \\x00 \\x0b \\x0a \\xff \\xa0 a href src= href= style= onload= onx= on= onerror\\x00=
        xmlns= xmlns:a xlink:href= by= to= from= values= formaction= action attributename= =href =onload =by dataformatas=
        filter= javascript: java data: vbscript: view-source: &#106;ava &#x6a;ava &#x0000006A &# &#x &#; &#9; &#1114367; &#330;ava
        ja\\x00va ja\\x0ava ` [if xml import entity <import <entity x text isindex meta link base""".split()

    def __init__(self, seed: int, extra: list[str]) -> None:
        self.random = random.Random(seed)
        self.sql = [unescape(text) for text in self.SQL]
        self.html = [unescape(text) for text in self.HTML]
        self.words = [word.encode() for word in extra]

    def piece(self, kind: int) -> bytes:
        dice = self.random.random()
        if kind == 0 or (kind == 2 and dice < 0.5):
            if self.random.random() < 0.35:
                word = self.random.choice(self.words)
                return word if self.random.random() < 0.5 else word.lower()
            return self.random.choice(self.sql)
        if dice < 0.02:
            return bytes([self.random.randrange(256)])
        return self.random.choice(self.html)

    def string(self) -> bytes:
        kind = self.random.randrange(3)
        pieces = [self.piece(kind) for _ in range(self.random.randint(1, self.random.choice((4, 8, 16, 40))))]
        glue = self.random.choice((b"", b" ", b" ", None))
        if glue is not None:
            return glue.join(pieces)
        blanks = (b"", b"", b" ", b"\n", b"/**/", b"+", b"\0")
        return b"".join(piece + self.random.choice(blanks) for piece in pieces)

    def mutate(self, string: bytes) -> bytes:
        """A string with a byte or two changed."""
        changed = bytearray(string)
        for _ in range(self.random.randint(1, 3)):
            at = self.random.randrange(len(changed) + 1)
            if self.random.random() < 0.5 and at < len(changed):
                del changed[at : at + self.random.randint(1, 3)]
            else:
                changed[at:at] = self.piece(2)
        return bytes(changed)


def compare(oracle: Oracle, folder: pathlib.Path) -> int:
    print(f"libinjection {oracle.version}, corpus {folder}, {SOUP} random strings from seed {SEED}", flush=True)
    table = [line[2:] for line in (ROOT / "src/detect/data/keywords.txt").read_text().splitlines() if line[0] != "#"]
    soup = Soup(SEED, table)
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as answers:
        corpus = sorted(set(corpus_strings(folder)))
        for string in corpus:
            answers.write(f"corpus\t{oracle.line(string)}\n")
        hidden = sum(oracle.is_hidden(string) for string in corpus if b"\xff" in string)
        print(f"corpus strings whose XSS the library misses for a byte FF: {hidden}", flush=True)
        short = [string for string in corpus if len(string) < 300]
        made = {soup.string() for _ in range(SOUP)}
        made.update(soup.mutate(soup.random.choice(short)) for _ in range(SOUP if short else 0))
        for string in sorted(made - set(corpus)):
            answers.write(f"soup\t{oracle.line(string)}\n")
        answers.flush()
        test = ["cargo", "test", "--quiet", "--test", "oracle_libinjection", "--", "--nocapture", "answers_of_the_oracle"]
        return subprocess.run(test, cwd=ROOT, env=os.environ | {"FUSEWALL_LIBINJECTION_ANSWERS": answers.name}).returncode


def main() -> int:
    oracle = Oracle()
    match sys.argv[1:]:
        case ["words"]:
            return words(oracle)
        case ["answers"]:
            for line in sys.stdin:
                print(oracle.line(unescape(line.rstrip("\n"))))
            return 0
        case ["compare", *folder]:
            default = os.environ.get("FUSEWALL_CORPUS_DIR", ROOT.parent / "shared/corpus")
            return compare(oracle, pathlib.Path(*folder) if folder else pathlib.Path(default))
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
