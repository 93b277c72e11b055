//! multipart/form-data bodies: what they give out, and what they flag.

use crate::Read;
use fusewall::http::{Kind, ParseLimits, Processor, Report};

const FORM: &str = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B\r\nContent-Disposition: form-data; \
                    name=\"f\"; filename=\"x.jpg\"\r\nContent-Type: image/jpeg\r\n\r\nBINARY\r\nDATA\r\n--B--\r\n";

const NAMED: &str = "Content-Disposition: form-data; name=\"a\"";

fn multipart(body: impl AsRef<[u8]>) -> Read {
    crate::read(Processor::Multipart, "multipart/form-data; boundary=B", body, ParseLimits::default())
}

/// A form of one part with these header lines and this content.
fn part(headers: &str, content: &str) -> Read {
    multipart(format!("--B\r\n{headers}\r\n\r\n{content}\r\n--B--\r\n"))
}

#[test]
fn a_form_gives_fields_files_and_headers() {
    let read = multipart(FORM);
    assert_eq!(read.report, Report { files_combined_size: 12, ..Report::default() });
    assert_eq!(read.values(Kind::ArgPost), [("a", "1")]);
    assert_eq!(read.values(Kind::File), [("f", "x.jpg")]);
    assert_eq!(read.values(Kind::FileContent), [("f", "BINARY\r\nDATA")]);
    assert_eq!(
        read.values(Kind::PartHeader),
        [
            ("a", "Content-Disposition: form-data; name=\"a\""),
            ("f", "Content-Disposition: form-data; name=\"f\"; filename=\"x.jpg\""),
            ("f", "Content-Type: image/jpeg"),
        ]
    );
    assert_eq!(multipart("").report, Report::default());
    assert_eq!(multipart(FORM.trim_end()).report, read.report);
}

#[test]
fn content_keeps_all_but_the_line_end_before_the_boundary() {
    for content in ["", "x", "\r\n", "a\nb\r\nc\n", "\r", "a\r\r", "-", "-B", "\0\r\n\0", "B--", "a--B--"] {
        let read = part(NAMED, content);
        assert_eq!(read.values(Kind::ArgPost), [("a", content)]);
        assert_eq!(read.report, Report::default(), "{content:?}");
    }
    for content in ["--", "--test", "x\r\n--C--\r\ny"] {
        let read = part(NAMED, content);
        assert_eq!(read.values(Kind::ArgPost), [("a", content)]);
        assert_eq!(read.report.multipart.unmatched_boundary, 2, "{content:?}");
        assert!(!read.report.error && !read.report.multipart.strict_error());
    }
}

#[test]
fn what_nearly_is_a_boundary_is_an_error() {
    for content in ["--b", "--Bx", "--\"B\"", " --B", "\t--B--"] {
        let read = part(NAMED, content);
        assert_eq!(read.values(Kind::ArgPost), [("a", content)], "{content:?}");
        assert!(read.report.error && read.report.multipart.strict_error(), "{content:?}");
    }
    let read = multipart(FORM.replace("--B--", "--B--whee."));
    assert!(read.message().contains("Invalid boundary"));
    let read = multipart(FORM.replace("--B\r", "--B \t\r"));
    assert_eq!(read.values(Kind::ArgPost), [("a", "1")]);
    assert!(read.message().contains("Invalid boundary"));
}

#[test]
fn preamble_epilogue_and_missing_boundaries_are_flagged() {
    let flags = |body: String| multipart(body).report.multipart;
    assert!(flags(format!("x\r\n{FORM}")).data_before && flags(format!("\r\n{FORM}")).data_before);
    assert!(flags(format!("{FORM}x")).data_after && flags(format!("{FORM}{FORM}")).data_after);
    assert!(!flags(FORM.into()).data_after && !flags(FORM.into()).data_before);

    let cut = multipart(FORM.replace("--B--\r\n", ""));
    assert!(cut.message().contains("Final boundary missing at byte"));
    assert_eq!(cut.report.multipart.unmatched_boundary, 1);
    assert_eq!(cut.values(Kind::FileContent), [("f", "BINARY\r\nDATA\r\n")]);
    let none = multipart(FORM.replace("--B", "--C"));
    assert!(none.message().contains("No boundaries found in payload") && none.report.multipart.data_before);
    assert_eq!(none.report.multipart.unmatched_boundary, 1);
    let wrong_first = multipart(FORM.replacen("--B", "--C", 1));
    assert_eq!(wrong_first.report.multipart.unmatched_boundary, 2);
}

#[test]
fn line_ends_are_flagged_where_they_are_structure() {
    let lf = multipart(FORM.replace("\r\n", "\n"));
    assert!(lf.report.multipart.lf_line && !lf.report.multipart.crlf_lf_lines && !lf.report.error);
    assert_eq!(lf.values(Kind::FileContent), [("f", "BINARY\nDATA")]);
    let mixed = multipart(FORM.replacen("\r\n", "\n", 1)).report.multipart;
    assert!(mixed.lf_line && mixed.crlf_lf_lines && mixed.strict_error());
    assert_eq!(part(NAMED, "a\nb").report, Report::default());
}

#[test]
fn headers_are_judged() {
    // header lines; the field; part of the message; invalid part
    for (headers, field, message, invalid) in [
        ("Content-Type: text/plain", [("", "v")], "Part missing Content-Disposition header", true),
        ("Content-Disposition: form-data;", [("", "v")], "missing name field", true),
        ("Content-Disposition: form-data name=\"a\"", [("a", "v")], "Invalid Content-Disposition header", true),
        ("Content-Disposition: attachment; name=a", [("a", "v")], "Invalid Content-Disposition header", true),
        ("X\r\nContent-Disposition: form-data; name=a", [("a", "v")], "colon missing", true),
        (":x\r\nContent-Disposition: form-data; name=a", [("a", "v")], "header name missing", true),
        ("\x0eX: y\r\nContent-Disposition: form-data; name=a", [("a", "v")], "contains invalid character", true),
        ("Content-Disposition : form-data; name=a", [("a", "v")], "contains invalid character", true),
        ("content-disposition: form-data; name=a\r\nX: 1\r\nx: 2", [("a", "v")], "Duplicate part header", false),
        (" X: y\r\nContent-Disposition: form-data; name=a", [("a", "v")], "folding error", true),
    ] {
        let read = part(headers, "v");
        assert_eq!(read.values(Kind::ArgPost), field, "{headers}");
        assert!(read.message().starts_with("Multipart parsing error: "), "{headers}");
        assert!(read.message().contains(message), "{headers}: {}", read.message());
        assert_eq!(read.report.multipart.invalid_part, invalid, "{headers}");
        assert!(read.report.multipart.strict_error());
        assert_eq!(read.values(Kind::PartHeader).len(), headers.split("\r\n").count(), "{headers}");
    }
}

#[test]
fn folded_headers_are_unfolded_and_flagged() {
    for (fold, invalid) in
        [(" ", false), ("\t", false), (" \t  ", false), ("\x0c", true), ("\x0c\t", true), ("\x0b", true)]
    {
        let read = part(&format!("Content-Disposition: form-data;\r\n{fold}name=\"a\""), "v");
        assert_eq!(read.values(Kind::ArgPost), [("a", "v")], "{fold:?}");
        let flags = read.report.multipart;
        assert!(flags.header_folding && !flags.processor_error && flags.strict_error(), "{fold:?}");
        assert_eq!(flags.invalid_header_folding, invalid, "{fold:?}");
    }
    let read = part(&format!("{NAMED}\r\nContent-Type: text/plain;\r\n charset=utf-7"), "v");
    assert_eq!(read.values(Kind::PartHeader)[1].1, "Content-Type: text/plain; charset=utf-7");
}

#[test]
fn every_name_is_given_out() {
    let read = part("Content-Disposition: form-data; name=a; name=b; filename=c; filename*=utf-8''%64", "v");
    assert_eq!(read.values(Kind::ArgPost), [("b", "")]);
    assert_eq!(read.values(Kind::File), [("a", "c"), ("a", "d")]);
    assert_eq!(read.values(Kind::FileContent), [("a", "v")]);
    assert!(read.message().contains("Duplicate Content-Disposition name"));
}

#[test]
fn a_part_whose_headers_do_not_end_is_read() {
    let read = multipart(format!("--B\r\n{NAMED}\r\n--B\r\n{NAMED}\r\n\r\nv\r\n--B--\r\n"));
    assert_eq!(read.values(Kind::ArgPost), [("a", ""), ("a", "v")]);
    assert!(read.message().contains("header block is not closed"));
    let read = multipart(format!("--B\r\n{NAMED}"));
    assert_eq!(read.values(Kind::ArgPost), [("a", "")]);
    assert!(read.report.error);
}

#[test]
fn parts_files_arguments_and_headers_are_limited_with_an_error() {
    let limited = |limits| crate::read(Processor::Multipart, "multipart/form-data; boundary=B", FORM, limits);
    let read = limited(ParseLimits { upload_files: 0, ..ParseLimits::default() });
    assert!(read.report.multipart.file_limit_exceeded && read.report.multipart.strict_error() && !read.report.error);
    assert_eq!(read.values(Kind::File).len(), 1);
    let read = limited(ParseLimits { multipart_parts: 1, ..ParseLimits::default() });
    assert!(read.message().contains("Too many parts") && read.values(Kind::File).is_empty());
    let read = limited(ParseLimits { arguments: 0, ..ParseLimits::default() });
    assert!(read.report.arguments_exceeded && read.report.error);

    let read = part(&format!("{NAMED}\r\nX: {}\r\nY: z", "x".repeat(20_000)), "v");
    assert!(read.message().contains("header block is too long"));
    assert!(read.values(Kind::ArgPost)[0].1.ends_with("Y: z\r\n\r\nv"));
    let many: String = (0..100).map(|number| format!("H{number}: x\r\n")).collect();
    assert!(part(&format!("{NAMED}\r\n{many}"), "v").message().contains("header block is too long"));
}

#[test]
fn a_boundary_that_is_odd_in_the_header_is_flagged_and_used() {
    for (parameter, strict) in [
        ("; boundary=\"B\"", true),
        ("; boundary= B", true),
        (" boundary=B", true),
        (", boundary=B", true),
        ("; BOUNDARY=B", true),
        ("; boundary=B; boundary=C", true),
        ("; boundary=B", false),
    ] {
        let content_type = format!("multipart/form-data{parameter}");
        let read = crate::read(Processor::Multipart, &content_type, FORM, ParseLimits::default());
        assert_eq!(read.values(Kind::ArgPost), [("a", "1")], "{parameter}");
        assert_eq!(read.report.multipart.strict_error(), strict, "{parameter}");
    }
    let read = crate::read(Processor::Multipart, "multipart/form-data", FORM, ParseLimits::default());
    assert!(read.message().contains("Boundary not found in C-T"));
}

#[test]
fn long_lines_across_blocks_lose_nothing() {
    // The line end, the boundary and what nearly is one at every place around the edge of a block.
    for before in 4000..4100 {
        for tail in ["\r\n--B--\r\n", "\n--B--\n", "\r\n--Bx\r\n--B--\r\n", "\r\n --B\r\n--B--\r\n"] {
            let content = "c".repeat(before);
            let read = multipart(format!("--B\r\n{NAMED}\r\n\r\n{content}{tail}"));
            let value = read.values(Kind::ArgPost)[0].1.to_string();
            assert!(value.starts_with(&content) && value.len() <= content.len() + 7, "{before} {tail:?}");
            assert_eq!(read.report.error, tail.len() > 9, "{before} {tail:?}");
        }
    }
}
