//! The contract in `wit/` as Rust types; everything of WASI's is wasmtime's own.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "aaasp:agent/agent",
    imports: {
        "aaasp:agent/credentials.hmac-sha256": async | trappable,
        "aaasp:agent/model.chat": async | trappable,
        "aaasp:agent/model.chat-stream": async | trappable,
        "aaasp:agent/model.embed": async | trappable,
        "aaasp:agent/model.[method]answer-stream.next": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    require_store_data_send: true,
    with: {
        "aaasp:agent/model.answer-stream": crate::capabilities::model::AnswerStream,
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "wasi:cli": wasmtime_wasi::p2::bindings::cli,
        "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
        "wasi:filesystem": wasmtime_wasi::p2::bindings::filesystem,
        "wasi:random": wasmtime_wasi::p2::bindings::random,
        "wasi:sockets": wasmtime_wasi::p2::bindings::sockets,
        "wasi:http": wasmtime_wasi_http::p2::bindings::http,
    },
});
