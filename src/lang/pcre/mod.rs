//! The PCRE dialect of rule authors, read into `regex_syntax::hir::Hir`.
