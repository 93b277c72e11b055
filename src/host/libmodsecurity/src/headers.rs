//! What a host tells of a request and its response but for their bodies.

use crate::text;
use crate::transaction::{DONE, ERROR, Request, Transaction, with};
use fusewall::Phase;
use std::ffi::{c_char, c_int};
use std::net::{IpAddr, SocketAddr};

/// The two ends of the connection, as texts without brackets, and their ports. A socket without an address, such as `unix:`, is an
/// error that does no harm: rules see the unspecified address.
///
/// # Safety
/// `transaction` is null or a handle of this library that nobody else uses meanwhile; the texts are null or end with a zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_process_connection(
    transaction: *mut Transaction,
    client: *const c_char,
    client_port: c_int,
    server: *const c_char,
    server_port: c_int,
) -> c_int {
    let tell = |request: &mut Request| {
        if !request.is_before(Phase::RequestHeaders) {
            return ERROR;
        }
        // SAFETY: as the host promises.
        let ends = unsafe { (end(client, client_port), end(server, server_port)) };
        if let Some(client) = ends.0 {
            request.ends.client = client;
        }
        if let Some(server) = ends.1 {
            request.ends.server = server;
        }
        if ends.0.is_some() && ends.1.is_some() { DONE } else { ERROR }
    };
    // SAFETY: as the host promises.
    unsafe { with(transaction, tell) }
}

unsafe fn end(address: *const c_char, port: c_int) -> Option<SocketAddr> {
    // SAFETY: as the caller says.
    let address = str::from_utf8(unsafe { text::bytes(address) }?).ok()?;
    let address: IpAddr = address.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    Some(SocketAddr::new(address, u16::try_from(port).unwrap_or(0)))
}

/// The request line: target as received, method, version as a number such as `1.1`.
///
/// # Safety
/// As [`msc_process_connection`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_process_uri(
    transaction: *mut Transaction,
    uri: *const c_char,
    method: *const c_char,
    version: *const c_char,
) -> c_int {
    let tell = |request: &mut Request| {
        // SAFETY: as the host promises.
        let [uri, method, version] = unsafe { [text::bytes(uri), text::bytes(method), text::bytes(version)] };
        let Some(uri) = uri.filter(|_| request.is_before(Phase::RequestHeaders)) else { return ERROR };
        request.head.target = uri.to_vec();
        request.head.method = method.unwrap_or_default().to_vec();
        request.head.version = protocol(version.unwrap_or_default());
        DONE
    };
    // SAFETY: as the host promises.
    unsafe { with(transaction, tell) }
}

/// `HTTP/1.1`, of that, of `1.1`, or of `HTTP 1.1` as nginx's module writes it.
fn protocol(version: &[u8]) -> Vec<u8> {
    match version.strip_prefix(b"HTTP").and_then(|rest| rest.split_first()) {
        Some((b' ' | b'/', number)) => [b"HTTP/", number].concat(),
        _ if version.first().is_some_and(u8::is_ascii_digit) => [b"HTTP/", version].concat(),
        _ => version.to_vec(),
    }
}

/// The host name that log lines show, if it is another than the request names.
///
/// # Safety
/// As [`msc_process_connection`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_set_request_hostname(transaction: *mut Transaction, hostname: *const u8) -> c_int {
    let tell = |request: &mut Request| {
        // SAFETY: as the host promises.
        let Some(hostname) = (unsafe { text::bytes(hostname.cast()) }) else { return ERROR };
        request.hostname = Some(String::from_utf8_lossy(hostname).into_owned());
        DONE
    };
    // SAFETY: as the host promises.
    unsafe { with(transaction, tell) }
}

/// A header of the request, name and value as texts.
///
/// # Safety
/// As [`msc_process_connection`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_add_request_header(
    transaction: *mut Transaction,
    name: *const u8,
    value: *const u8,
) -> c_int {
    // SAFETY: as the host promises.
    unsafe {
        let (name, value) = (text::bytes(name.cast()), text::bytes(value.cast()));
        with(transaction, |request| add_to_request(request, name, value))
    }
}

/// A header of the request, name and value as bytes and their numbers.
///
/// # Safety
/// `transaction` is null or a handle of this library that nobody else uses meanwhile; `name` and `value` are null or point to so many
/// bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_add_n_request_header(
    transaction: *mut Transaction,
    name: *const u8,
    name_bytes: usize,
    value: *const u8,
    value_bytes: usize,
) -> c_int {
    // SAFETY: as the host promises.
    unsafe {
        let (name, value) = (text::counted(name, name_bytes), text::counted(value, value_bytes));
        with(transaction, |request| add_to_request(request, name, value))
    }
}

fn add_to_request(request: &mut Request, name: Option<&[u8]>, value: Option<&[u8]>) -> c_int {
    let (true, Some(name), Some(value)) = (request.is_before(Phase::RequestHeaders), name, value) else { return ERROR };
    request.head.headers.push((name.to_vec(), value.to_vec()));
    DONE
}

/// The head of the request is complete: runs phase 1.
///
/// # Safety
/// `transaction` is null or a handle of this library that nobody else uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_process_request_headers(transaction: *mut Transaction) -> c_int {
    let run = |request: &mut Request| {
        if !request.is_before(Phase::RequestHeaders) {
            return ERROR;
        }
        request.exchange();
        DONE
    };
    // SAFETY: as the host promises.
    unsafe { with(transaction, run) }
}

/// A header of the response, name and value as texts.
///
/// # Safety
/// As [`msc_process_connection`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_add_response_header(
    transaction: *mut Transaction,
    name: *const u8,
    value: *const u8,
) -> c_int {
    // SAFETY: as the host promises.
    unsafe {
        let (name, value) = (text::bytes(name.cast()), text::bytes(value.cast()));
        with(transaction, |request| add_to_response(request, name, value))
    }
}

/// A header of the response, name and value as bytes and their numbers.
///
/// # Safety
/// As [`msc_add_n_request_header`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_add_n_response_header(
    transaction: *mut Transaction,
    name: *const u8,
    name_bytes: usize,
    value: *const u8,
    value_bytes: usize,
) -> c_int {
    // SAFETY: as the host promises.
    unsafe {
        let (name, value) = (text::counted(name, name_bytes), text::counted(value, value_bytes));
        with(transaction, |request| add_to_response(request, name, value))
    }
}

fn add_to_response(request: &mut Request, name: Option<&[u8]>, value: Option<&[u8]>) -> c_int {
    let (true, Some(name), Some(value)) = (request.is_before(Phase::ResponseHeaders), name, value) else {
        return ERROR;
    };
    // The zero at the end of nginx's own `Server` is not part of it.
    let value = value.strip_suffix(b"\0").unwrap_or(value);
    request.response_headers.push((name.to_vec(), value.to_vec()));
    DONE
}

/// The head of the response is complete: runs phase 3, and what was left out before it.
///
/// # Safety
/// As [`msc_process_connection`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_process_response_headers(
    transaction: *mut Transaction,
    status: c_int,
    version: *const c_char,
) -> c_int {
    let run = |request: &mut Request| {
        let (true, Ok(status)) = (request.is_before(Phase::ResponseHeaders), u16::try_from(status)) else {
            return ERROR;
        };
        // SAFETY: as the host promises.
        let version = protocol(unsafe { text::bytes(version) }.unwrap_or_default());
        request.status = Some(status);
        let headers = std::mem::take(&mut request.response_headers);
        let exchange = request.exchange();
        exchange.response(status, &version, headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
        request.run(Phase::ResponseHeaders);
        let value = |name: &str| {
            let named = |(field, _): &&(Vec<u8>, Vec<u8>)| field.eq_ignore_ascii_case(name.as_bytes());
            headers.iter().find(named).map(|(_, value)| value.as_slice())
        };
        let plan = request.exchange().response_plan(value("content-type"), value("content-encoding"));
        request.plan = Some(plan);
        DONE
    };
    // SAFETY: as the host promises.
    unsafe { with(transaction, run) }
}

#[cfg(test)]
mod tests {
    use super::protocol;

    #[test]
    fn versions_are_written_alike() {
        for version in ["1.1", "HTTP/1.1", "HTTP 1.1"] {
            assert_eq!(protocol(version.as_bytes()), b"HTTP/1.1");
        }
        assert_eq!(
            (protocol(b""), protocol(b"HTTPS/1"), protocol(b"HTTP")),
            (vec![], b"HTTPS/1".to_vec(), b"HTTP".to_vec())
        );
    }
}
