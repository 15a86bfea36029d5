//! P21: a copy of everything that is kept, by one command.

use crate::cli::shell::Shell;
use crate::support::Server;

#[tokio::test]
async fn one_command_has_a_copy_of_everything() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let made = shell.run(&["account", "export", "--file", "copy.zip"]).expect(0);
    assert!(made.out.starts_with("copy.zip"), "{}", made.out);
    let archive = zip::ZipArchive::new(std::fs::File::open(shell.path("copy.zip")).unwrap()).unwrap();
    let names: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    for name in ["index.html", "manifest.json", "tables/accounts.csv", "tables/transfers.jsonl"] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
}
