// Links and buttons of Mantine that go to a page of the dashboard.
import { Anchor, type AnchorProps, Button, type ButtonProps } from "@mantine/core";
import { createLink } from "@tanstack/react-router";
import { type AnchorHTMLAttributes, forwardRef } from "react";

type Html<P> = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof P>;

const AnchorBase = forwardRef<HTMLAnchorElement, AnchorProps & Html<AnchorProps>>((props, ref) => (
  <Anchor ref={ref} {...props} />
));

const ButtonBase = forwardRef<HTMLAnchorElement, ButtonProps & Html<ButtonProps>>((props, ref) => (
  <Button ref={ref} component="a" {...props} />
));

export const LinkTo = createLink(AnchorBase);
export const ButtonTo = createLink(ButtonBase);
