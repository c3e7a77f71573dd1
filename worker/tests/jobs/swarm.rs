//! The Swarm of the stand-in engine: services with the tasks they ask for, networks, secrets and volumes. Every task runs
//! at once, and is healthy unless its image is one that never becomes so.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

#[derive(Default)]
pub(crate) struct Swarm {
    services: BTreeMap<String, Service>,
    /// By kind and id, each as the engine shows it.
    things: BTreeMap<(&'static str, String), Value>,
    /// Ends of the references of images that never become healthy.
    sick: Vec<String>,
    made: u64,
}

struct Service {
    spec: Value,
    previous: Option<Value>,
    version: u64,
}

impl Swarm {
    /// Has containers of this image run and never become healthy.
    pub(crate) fn sicken(&mut self, image: &str) {
        self.sick.push(image.to_owned());
    }

    pub(crate) fn add_volume(&mut self, name: &str, labels: &[(&str, String)]) {
        let labels: HashMap<&str, &String> = labels.iter().map(|(key, value)| (*key, value)).collect();
        let shown = json!({
            "Name": name, "Labels": labels, "Driver": "local", "Mountpoint": "/", "Scope": "local", "Options": {},
        });
        self.things.insert(("volumes", name.to_owned()), shown);
    }

    /// References of the images that services are to run, by the services' names.
    pub(crate) fn images(&self) -> BTreeMap<String, String> {
        let image = |service: &Service| text(&service.spec["TaskTemplate"]["ContainerSpec"]["Image"]);
        self.services.iter().map(|(name, service)| (name.clone(), image(service))).collect()
    }

    /// How many replicas services are to have, by the services' names.
    pub(crate) fn replicas(&self) -> BTreeMap<String, u64> {
        self.services.iter().map(|(name, service)| (name.clone(), replicas(&service.spec))).collect()
    }

    /// Everything there is, as kind and name.
    pub(crate) fn all(&self) -> Vec<String> {
        let services = self.services.keys().map(|name| format!("services {name}"));
        let things = self.things.iter().map(|((kind, _), shown)| {
            let name = if shown["Name"].is_null() { &shown["Spec"]["Name"] } else { &shown["Name"] };
            format!("{kind} {}", text(name))
        });
        services.chain(things).collect()
    }

    /// Containers of tasks, as the engine lists them.
    pub(crate) fn containers(&self) -> Vec<Value> {
        let running = self.services.iter().filter(|(_, service)| replicas(&service.spec) > 0);
        let shown = running.map(|(name, service)| {
            let container = &service.spec["TaskTemplate"]["ContainerSpec"];
            let is_sick = self.sick.iter().any(|image| text(&container["Image"]).ends_with(image.as_str()));
            let status = if is_sick { "Up 1 second (health: starting)" } else { "Up 1 second (healthy)" };
            let id = format!("{name}.1");
            json!({ "Id": id, "Labels": container["Labels"], "State": "running", "Status": status })
        });
        shown.collect()
    }

    /// What it answers; nothing for what is none of its business.
    pub(crate) fn outcome(
        &mut self,
        method: &str,
        path: &[&str],
        query: &str,
        wanted: &[(String, String)],
        body: &Value,
    ) -> Option<(u16, Value)> {
        let missing = || (404, json!({ "message": "there is no such thing" }));
        let answer = match (method, path) {
            ("GET", ["services"]) => {
                let shown = self.services.iter().map(|(name, service)| service.shown(name));
                (200, shown.filter(|shown| has(&shown["Spec"]["Labels"], wanted)).collect())
            }
            ("GET", ["services", name]) => {
                self.services.get(*name).map_or_else(missing, |service| (200, service.shown(name)))
            }
            ("GET", ["tasks"]) => {
                let tasks = self.services.iter().flat_map(|(name, service)| {
                    let spec = &service.spec["TaskTemplate"];
                    (1..=replicas(&service.spec)).map(move |slot| {
                        json!({
                            "ID": format!("{name}.{slot}"), "ServiceID": name, "Slot": slot, "Spec": spec,
                            "DesiredState": "running", "Status": { "State": "running" },
                        })
                    })
                });
                (200, tasks.filter(|task| has(&task["Spec"]["ContainerSpec"]["Labels"], wanted)).collect())
            }
            ("POST", ["services", "create"]) => {
                let name = text(&body["Name"]);
                self.services.insert(name.clone(), Service { spec: body.clone(), previous: None, version: 1 });
                (201, json!({ "ID": name }))
            }
            ("POST", ["services", name, "update"]) => match self.services.get_mut(*name) {
                Some(service) => service.update(query, body),
                None => missing(),
            },
            ("DELETE", ["services", name]) => self.services.remove(*name).map_or_else(missing, |_| (200, Value::Null)),
            ("GET", ["networks", name]) => self
                .things
                .get(&("networks", (*name).to_owned()))
                .map_or_else(missing, |network| (200, network.clone())),
            ("POST", ["networks", "create"]) => {
                let (name, id) = (text(&body["Name"]), text(&body["Name"]));
                let shown = json!({ "Id": id, "Name": name, "Labels": body["Labels"] });
                self.things.insert(("networks", id.clone()), shown);
                (201, json!({ "Id": id, "Warning": "" }))
            }
            ("POST", ["secrets", "create"]) => {
                self.made += 1;
                let id = format!("secret{}", self.made);
                let spec = json!({ "Name": body["Name"], "Labels": body["Labels"] });
                self.things.insert(("secrets", id.clone()), json!({ "ID": id, "Spec": spec }));
                (201, json!({ "ID": id }))
            }
            ("GET", ["volumes"]) => {
                (200, json!({ "Volumes": self.listed("volumes", "Labels", wanted), "Warnings": [] }))
            }
            ("GET", ["networks"]) => (200, self.listed("networks", "Labels", wanted).into()),
            ("GET", ["secrets"]) => (200, self.listed("secrets", "Spec", wanted).into()),
            ("DELETE", [kind @ ("networks" | "secrets" | "volumes"), id]) => {
                let kind = match *kind {
                    "networks" => "networks",
                    "secrets" => "secrets",
                    _ => "volumes",
                };
                self.things.remove(&(kind, (*id).to_owned())).map_or_else(missing, |_| (204, Value::Null))
            }
            ("GET", ["images", .., "json"]) if path.len() > 2 => (200, json!({ "Id": "image", "Config": {} })),
            _ => return None,
        };
        Some(answer)
    }

    /// Things of a kind with the labels that are `wanted`, which are in their field `place`.
    fn listed(&self, kind: &str, place: &str, wanted: &[(String, String)]) -> Vec<Value> {
        let labels =
            |shown: &Value| if place == "Spec" { shown["Spec"]["Labels"].clone() } else { shown[place].clone() };
        let of_kind = self.things.iter().filter(|((of, _), _)| *of == kind).map(|(_, shown)| shown);
        of_kind.filter(|shown| has(&labels(shown), wanted)).cloned().collect()
    }
}

impl Service {
    fn shown(&self, name: &str) -> Value {
        json!({ "ID": name, "Version": { "Index": self.version }, "Spec": self.spec })
    }

    fn update(&mut self, query: &str, body: &Value) -> (u16, Value) {
        if !query.split('&').any(|pair| pair == format!("version={}", self.version)) {
            return (500, json!({ "message": "update out of sequence" }));
        }
        let next = if query.contains("rollback=previous") {
            match self.previous.take() {
                Some(previous) => previous,
                None => return (400, json!({ "message": "service does not have a previous spec" })),
            }
        } else {
            body.clone()
        };
        self.previous = Some(std::mem::replace(&mut self.spec, next));
        self.version += 1;
        (200, json!({ "Warnings": null }))
    }
}

fn has(labels: &Value, wanted: &[(String, String)]) -> bool {
    wanted.iter().all(|(key, value)| labels[key] == value.as_str())
}

fn replicas(spec: &Value) -> u64 {
    spec["Mode"]["Replicated"]["Replicas"].as_u64().unwrap_or(1)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
