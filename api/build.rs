//! Makes what the binary serves to browsers part of it: the files of the built dashboard, and what the page of the API's
//! description needs out of the archive of Swagger UI. All of it is compressed already.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// Without its optional bar, its maps and its other flavours.
const FILES: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    swagger_ui(&out)?;
    dashboard(&out)
}

fn swagger_ui(out: &Path) -> Result<(), Box<dyn Error>> {
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for file in FILES {
        // `swagger-ui-5.32.6/dist/…`; other flavours lie deeper.
        let wanted = |name: &str| name.split('/').skip(1).eq(["dist", file]);
        let index = (0..archive.len())
            .find(|index| archive.by_index_raw(*index).is_ok_and(|entry| entry.name().is_ok_and(|name| wanted(&name))))
            .ok_or_else(|| format!("Swagger UI has no {file}"))?;
        let mut text = Vec::new();
        archive.by_index(index)?.read_to_end(&mut text)?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&text)?;
        std::fs::write(out.join(format!("{file}.gz")), encoder.finish()?)?;
    }
    Ok(())
}

/// Writes the list of the dashboard's files, as Rust that includes them.
fn dashboard(out: &Path) -> Result<(), Box<dyn Error>> {
    let dist = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets it")?).join("dashboard/dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    if !dist.join("index.html.br").is_file() {
        println!(
            "cargo::error=The dashboard is not built, and is part of this program. Build it: infra/dev/dashboard (it \
             fetches what it needs, and does nothing when nothing changed). `make`, infra/dev/build and infra/dev/test \
             do so by themselves."
        );
        std::process::exit(1);
    }
    let mut list = "[\n".to_owned();
    let mut files = Vec::new();
    collect(&dist, &mut files)?;
    files.sort();
    for file in files {
        let path = file.strip_prefix(&dist)?.to_str().ok_or("a file's name is no text")?.to_owned();
        let file = file.to_str().ok_or("the directory's name is no text")?;
        writeln!(
            list,
            "    File {{ path: {:?}, gzip: include_bytes!({:?}), brotli: include_bytes!({:?}) }},",
            format!("/{path}"),
            format!("{file}.gz"),
            format!("{file}.br")
        )?;
    }
    list += "]\n";
    std::fs::write(out.join("dashboard.rs"), list)?;
    Ok(())
}

/// The files that are served: those beside which their compressed forms lie.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.with_added_extension("br").is_file() {
            files.push(path);
        }
    }
    Ok(())
}
