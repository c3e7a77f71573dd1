//! Every app of `examples/` is pushed, served, pushed changed, served, rolled back and served again. A new example
//! is tested without being named here.

use libtest_mimic::{Arguments, Trial};
use skypanel_e2e::{App, root};

fn main() {
    let entries = std::fs::read_dir(root().join("examples")).expect("the examples can be listed").flatten();
    let names = entries.filter(|entry| entry.path().is_dir()).filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert!(!names.is_empty(), "there are no examples");
    let trials = names.into_iter().map(|name| {
        Trial::test(name.replace('-', "_"), move || {
            is_served_changed_and_rolled_back(&name);
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

fn is_served_changed_and_rolled_back(example: &str) {
    let app = App::example(example);
    let output = app.push().live();
    assert!(output.contains("is live (v1,"), "{output}");
    let before = app.page("/");
    assert!(before.contains("Hello from "), "an example greets with \"Hello from \", and this one with: {before}");

    // The greeting may be put together from a word of its own; other words, such as a class's name, stay.
    let changed = [("Hello from ", "Howdy from "), ("\"Hello\"", "\"Howdy\"")]
        .map(|(greeting, other)| app.repository.replace_everywhere(greeting, other));
    assert!(changed.iter().sum::<usize>() > 0, "the greeting is in a file");
    app.commit("Greet differently");
    let output = app.push().live();
    assert!(output.contains("is live (v2,"), "{output}");
    let after = before.replace("Hello from ", "Howdy from ");
    app.wait_for_page(&after);

    let rolled_back = app.command("rollback", &[]).success();
    assert!(rolled_back.text().contains("v3"), "{rolled_back:?}");
    app.wait_for_page(&before);
    let releases = app.command("releases", &[]).success().out();
    for version in ["v1", "v2", "v3"] {
        assert!(releases.contains(version), "{version} is not in:\n{releases}");
    }
}
