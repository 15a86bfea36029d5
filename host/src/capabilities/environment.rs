//! `wasi:cli`: environment, exit and the terminals that a guest never has.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::cli::{
    environment, exit, terminal_input, terminal_output, terminal_stderr, terminal_stdin, terminal_stdout,
};

use crate::runtime::{State, Stop};

impl environment::Host for State {
    /// A command, which knows no `wasi:config`, finds the deployment's configuration here.
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        if !self.command {
            return Ok(Vec::new());
        }
        let all: Vec<_> = self.config.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        self.owe_bytes(all.iter().map(|(key, value)| key.len() + value.len()).sum());
        Ok(all)
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(if self.command { vec!["command".to_owned()] } else { Vec::new() })
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}

impl exit::Host for State {
    fn exit(&mut self, status: Result<(), ()>) -> wasmtime::Result<()> {
        Err(Stop::Exit(u8::from(status.is_err())).into())
    }

    fn exit_with_code(&mut self, status_code: u8) -> wasmtime::Result<()> {
        Err(Stop::Exit(status_code).into())
    }
}

impl terminal_input::Host for State {}
impl terminal_output::Host for State {}

impl terminal_input::HostTerminalInput for State {
    fn drop(&mut self, terminal: Resource<terminal_input::TerminalInput>) -> wasmtime::Result<()> {
        self.table.delete(terminal)?;
        Ok(())
    }
}

impl terminal_output::HostTerminalOutput for State {
    fn drop(&mut self, terminal: Resource<terminal_output::TerminalOutput>) -> wasmtime::Result<()> {
        self.table.delete(terminal)?;
        Ok(())
    }
}

impl terminal_stdin::Host for State {
    fn get_terminal_stdin(&mut self) -> wasmtime::Result<Option<Resource<terminal_input::TerminalInput>>> {
        Ok(None)
    }
}

impl terminal_stdout::Host for State {
    fn get_terminal_stdout(&mut self) -> wasmtime::Result<Option<Resource<terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

impl terminal_stderr::Host for State {
    fn get_terminal_stderr(&mut self) -> wasmtime::Result<Option<Resource<terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}
