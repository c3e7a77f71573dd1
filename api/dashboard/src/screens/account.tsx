// The person's own things: password, second factor, SSH keys, tokens for programs, and the browsers they are signed in at.
import { Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { meQuery } from "../api/queries";
import { Head } from "../parts/page";
import { Password } from "./account/password";
import { SecondFactor } from "./account/second_factor";
import { Sessions } from "./account/sessions";
import { SshKeys } from "./account/ssh_keys";
import { Tokens } from "./account/tokens";

export function Account() {
  const me = useQuery(meQuery).data;
  return (
    <Stack maw={760} gap="xl">
      <Head title="Account" />
      <Text c="dimmed" className="break">
        Signed in as {me?.email}.
      </Text>
      <SshKeys />
      <SecondFactor on={me?.second_factor === true} />
      <Tokens />
      <Sessions />
      <Password />
    </Stack>
  );
}
