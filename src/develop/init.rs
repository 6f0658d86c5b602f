//! `tidegate module init`: writes a project that works as it is. It never touches a file that is there.

use super::files::shown;
use super::print::say;
use clap::Args;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// The command.
#[derive(Args)]
pub struct Init {
    /// Folder of the project; made if it is not there. Its name becomes the module's
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Path and text; NAME is the module's name in both.
const FILES: [(&str, &str); 8] = [
    ("package.json", include_str!("template/package.json")),
    ("tsconfig.json", include_str!("template/tsconfig.json")),
    ("tidegate.d.ts", tidegate_js::TYPES),
    ("src/NAME.ts", include_str!("template/module.ts")),
    ("src/NAME.test.ts", include_str!("template/module.test.ts")),
    ("README.md", include_str!("template/README.md")),
    ("tidegate.yaml", include_str!("template/tidegate.yaml")),
    (".gitignore", "node_modules/\ntidegate-data/\n"),
];

impl Init {
    /// Writes everything, or nothing.
    pub fn run(&self) -> Result<ExitCode, String> {
        let folder = super::files::absolute(&self.folder)?;
        let name = module_name(&folder.file_name().unwrap_or_default().to_string_lossy());
        let files: Vec<(PathBuf, String)> = FILES
            .iter()
            .map(|(path, text)| {
                // The types are the same for every project.
                let text =
                    if *path == "tidegate.d.ts" { (*text).to_owned() } else { text.replace("NAME", &name) };
                (folder.join(path.replace("NAME", &name)), text)
            })
            .collect();
        if let Some((there, _)) = files.iter().find(|(path, _)| path.exists()) {
            return Err(format!(
                "{} exists already: nothing was written. Choose a folder that has no project yet",
                shown(there)
            ));
        }
        for (path, text) in &files {
            let failed = |e: std::io::Error| format!("{}: {e}", shown(path));
            fs::create_dir_all(path.parent().unwrap_or(&folder)).map_err(failed)?;
            // Never over a file that has come meanwhile.
            let mut file = fs::File::create_new(path).map_err(failed)?;
            file.write_all(text.as_bytes()).map_err(failed)?;
            say(format!("  {}\n", shown(path)));
        }
        let place = shown(&folder);
        say(format!("\nThe module '{name}' is in {place}. Next:\n\n  cd {place}\n"));
        say("  tidegate module test                    # its tests\n");
        say("  tidegate serve --config tidegate.yaml   # a gateway that runs it, and in another shell:\n");
        say("  tidegate module dev .                   # pushes whenever you save\n");
        say("  npm install && npx tsc                  # checks its types\n");
        Ok(ExitCode::SUCCESS)
    }
}

/// A name that a module, a file and a package may have.
fn module_name(folder: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let name: String = folder.chars().map(plain).collect();
    match name.trim_matches('-') {
        "" => "module".into(),
        name => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::module_name;

    #[test]
    fn names() {
        for (folder, name) in
            [("shout", "shout"), ("My Module!", "my-module"), ("..", "module"), ("a.b_c", "a-b_c")]
        {
            assert_eq!(module_name(folder), name);
        }
    }
}
