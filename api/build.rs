//! Takes what the page of the API's description needs out of the archive of Swagger UI, compressed for browsers.

use std::error::Error;
use std::io::{Cursor, Read as _, Write as _};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// Without its optional bar, its maps and its other flavours.
const FILES: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
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
