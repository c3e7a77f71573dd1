// Over the screen that somebody was working in, so that what they typed is still there afterwards.
import { Modal, Stack, Text } from "@mantine/core";
import { cache } from "../api/cache";
import { SignInForm } from "./sign_in_form";

export function SignInAgain({ email }: { email: string }) {
  return (
    <Modal opened onClose={() => {}} withCloseButton={false} closeOnEscape={false} title="Your session has ended">
      <Stack>
        <Text size="sm">Sign in again to go on. What you were doing is still here; repeat what was refused.</Text>
        <SignInForm email={email} onDone={() => void cache.invalidateQueries()} />
      </Stack>
    </Modal>
  );
}
