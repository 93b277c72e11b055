//! SQLi and XSS detectors: a port of the libinjection algorithm.
