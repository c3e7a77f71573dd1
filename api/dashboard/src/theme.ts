// What differs from Mantine's own defaults; the colours are in styles/tokens.css.
import { createTheme, Modal, ModalHeader, Notification } from "@mantine/core";

export const theme = createTheme({
  respectReducedMotion: true,
  components: {
    // Its scroll lock writes a style element, which the content policy forbids; styles/base.css locks instead.
    Modal: Modal.extend({
      defaultProps: {
        lockScroll: false,
        centered: true,
        overlayProps: { backgroundOpacity: 0.5 },
        closeButtonProps: { "aria-label": "Close" },
      },
    }),
    // The page has its banner already, and the title of a dialog is no second one.
    ModalHeader: ModalHeader.extend({ defaultProps: { role: "presentation" } }),
    Notification: Notification.extend({ defaultProps: { closeButtonProps: { "aria-label": "Close" } } }),
  },
});
