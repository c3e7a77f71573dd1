// By what a healthy replica is told from another.
import { Text } from "@mantine/core";
import { api, data, type Schemas } from "../../api/client";
import { useAction } from "../../parts/action";
import { useDraft } from "../../parts/draft";
import { ChoiceField, TextField } from "../../parts/fields";
import { NumberField } from "../../parts/number_field";
import { useMay } from "../../parts/roles";
import { SettingsForm } from "./settings_form";

const CHECKS = [
  ["health_check_port", "Port", 65535],
  ["health_check_interval_seconds", "Every (seconds)", 3600],
  ["health_check_timeout_seconds", "May wait (seconds)", 300],
  ["health_check_retries", "Failures in a row", 100],
  ["health_check_start_seconds", "May take to start (seconds)", 3600],
] as const;

export function HealthCheck({ app }: { app: Schemas["AppAnswer"] }) {
  const may = useMay(app.organization_id);
  const of = useDraft({
    health_check_path: app.health_check_path ?? "",
    health_check_protocol: app.health_check_protocol ?? "",
    health_check_expected_status: app.health_check_expected_status ?? "",
    health_check_port: app.health_check_port ?? 0,
    health_check_interval_seconds: app.health_check_interval_seconds ?? 0,
    health_check_timeout_seconds: app.health_check_timeout_seconds ?? 0,
    health_check_retries: app.health_check_retries ?? 0,
    health_check_start_seconds: app.health_check_start_seconds ?? 0,
  });
  const save = useAction({
    run: (changed: typeof of.changed) =>
      data(api.PATCH("/api/paas/apps/{app}", { params: { path: { app: app.slug } }, body: changed })),
    done: "Saved. What runs is replaced by new processes with it, without a gap.",
    changes: [["app", app.slug]],
    quiet: true,
  });
  return (
    <SettingsForm id="health" title="Health check" may={may.change} of={of} save={save}>
      <TextField
        name="health_check_path"
        label="Path"
        description="The path that a healthy replica answers. Left empty: /health if that answers, otherwise whether the port is open."
        placeholder="/health"
        disabled={!may.change}
        value={of.draft.health_check_path}
        onSet={of.set("health_check_path")}
      />
      <ChoiceField
        name="health_check_protocol"
        label="Protocol"
        description="TCP only checks that the port is open."
        disabled={!may.change}
        data={[
          { value: "", label: "The usual" },
          { value: "http", label: "HTTP" },
          { value: "tcp", label: "TCP" },
        ]}
        value={of.draft.health_check_protocol}
        onSet={of.set("health_check_protocol")}
      />
      <TextField
        name="health_check_expected_status"
        label="Healthy statuses"
        description="Numbers and ranges, separated by commas. Left empty: 200 to 399."
        placeholder="200-299,401"
        disabled={!may.change}
        value={of.draft.health_check_expected_status}
        onSet={of.set("health_check_expected_status")}
      />
      <div className="cards">
        {CHECKS.map(([name, label, most]) => (
          <NumberField
            key={name}
            name={name}
            label={label}
            min={0}
            max={most}
            disabled={!may.change}
            value={of.draft[name]}
            onSet={(value) => of.set(name)(value ?? 0)}
          />
        ))}
      </div>
      <Text size="sm" c="dimmed">
        0 stands for the platform's setting, and for the port that requests go to.
      </Text>
    </SettingsForm>
  );
}
