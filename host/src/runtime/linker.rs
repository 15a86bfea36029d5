//! Offers the capabilities to guests, each once, by our own implementations or wrappers.

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, io, random, sockets};
use wasmtime_wasi::sockets::WasiSockets;

use super::agent_credentials;
use super::agent_model;
use super::bindings::wasi::{config, logging};
use super::state::State;

/// Every interface that a component may import, without its version.
pub(crate) const OFFERED: &[&str] = &[
    "aaasp:agent/credentials",
    "aaasp:agent/model",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:config/store",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:logging/logging",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// The linker of an engine; made once.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    io::error::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    io::poll::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    io::streams::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    clocks::wall_clock::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    clocks::monotonic_clock::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    random::random::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    random::insecure::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    random::insecure_seed::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    cli::environment::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    cli::exit::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    cli::stdin::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    cli::stdout::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    cli::stderr::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    cli::terminal_input::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    cli::terminal_output::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    cli::terminal_stdin::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    cli::terminal_stdout::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    cli::terminal_stderr::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    filesystem::preopens::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    filesystem::types::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    config::store::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    logging::logging::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    agent_credentials::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    agent_model::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<_, WasiSockets>(l, &options, State::sockets)?;
    sockets::instance_network::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::ip_name_lookup::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::tcp::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::udp::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::udp_create_socket::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(l)?;
    Ok(linker)
}
