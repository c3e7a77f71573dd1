//! Which buildpack builds an app: what its owner names comes before what the repository looks like.

use skypanel_e2e::App;

/// Says which buildpack's environment it runs in.
const SERVER: &str = "import http.server, os

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ.get('PYTHONPATH', 'no buildpack').encode())

http.server.HTTPServer(('', int(os.environ['PORT'])), Page).serve_forever()
";
const DOCKERFILE: &str =
    "FROM skypanel/stack:skypanel-12\nCOPY app.py /app/app.py\nCMD [\"python3\", \"/app/app.py\"]\n";

#[test]
fn a_buildpack_named_by_a_var_comes_before_the_dockerfile() {
    let app = App::of("bp-var", &[("app.py", SERVER), ("Dockerfile", DOCKERFILE)]);
    let _ = app.user.command(&format!("apps:create {}", app.slug)).success();
    let _ = app.command("config:set", &["BUILDPACK_URL=heroku/python"]).success();
    let output = app.push().live();
    assert!(output.contains("Using the buildpacks of BUILDPACK_URL: Python"), "{output}");
    assert!(!output.contains("Building with the app's Dockerfile"), "{output}");
    assert_eq!(app.page("/"), "/app");

    // Without it, the Dockerfile counts from the next push on.
    let _ = app.command("config:unset", &["BUILDPACK_URL"]).success();
    app.repository.write("notes.txt", "next");
    app.commit("Build with the Dockerfile");
    let output = app.push().live();
    assert!(output.contains("Building with the app's Dockerfile"), "{output}");
    app.wait_for_page("no buildpack");
}

#[test]
fn buildpacks_named_in_the_repository_come_before_the_dockerfile() {
    let app = App::of(
        "bp-file",
        &[
            ("app.py", SERVER),
            ("Dockerfile", DOCKERFILE),
            ("package.json", "{\"scripts\": {\"build\": \"echo the front end is built\"}}"),
            (".buildpacks", "# both\nheroku/nodejs\nheroku/python\n"),
        ],
    );
    let output = app.push().live();
    assert!(output.contains("Using the buildpacks of .buildpacks: Node.js, Python"), "{output}");
    assert!(output.contains("the front end is built"), "{output}");
    assert!(!output.contains("Building with the app's Dockerfile"), "{output}");
    assert_eq!(app.page("/"), "/app");
}
