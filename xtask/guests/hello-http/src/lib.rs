//! Answers every request with `hello`, and does nothing else: a component of the world `wasi:http/proxy`.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "wasi:http/proxy@0.2.12", generate_all });
}

use bindings::exports::wasi::http::incoming_handler::Guest;
use bindings::wasi::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

const HELLO: &[u8] = b"hello\n";

struct Hello;

impl Guest for Hello {
    fn handle(_request: IncomingRequest, answer: ResponseOutparam) {
        // A length keeps the server from sending the body in chunks.
        let length = HELLO.len().to_string().into_bytes();
        let fields = Fields::from_list(&[("content-length".to_owned(), length)]).unwrap_or_else(|_| Fields::new());
        let response = OutgoingResponse::new(fields);
        let body = response.body();
        ResponseOutparam::set(answer, Ok(response));
        let Ok(body) = body else { return };
        if let Ok(stream) = body.write() {
            // An error here is a client that has gone.
            let _ = stream.blocking_write_and_flush(HELLO);
        }
        let _ = OutgoingBody::finish(body, None);
    }
}

/// What the component exports; a native build has no use for it.
#[cfg(target_family = "wasm")]
#[expect(unsafe_code, reason = "written by wit-bindgen: exports are functions over raw memory")]
mod export {
    use super::{Hello, bindings};

    bindings::export!(Hello with_types_in bindings);
}
