// What is wrong with the platform and with everybody's apps, and which admins are told of it.
import { Stack } from "@mantine/core";
import { Alerts } from "../alerts/alerts";
import { Targets } from "../alerts/targets";

export function AdminAlerts() {
  return (
    <Stack gap="xl" maw={860}>
      <Alerts organization={null} />
      <Targets organization={null} />
    </Stack>
  );
}
