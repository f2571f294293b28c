import { Button, Checkbox, createTheme, Modal, SegmentedControl, Select, Slider, TextInput } from "@mantine/core";
import type { MantineColorsTuple } from "@mantine/core";

const ember: MantineColorsTuple = [
  "#FDEFE6", "#F9DCC9", "#EFC3A6", "#F0A57A", "#FF8A4C", "#E8672A", "#CF4A12", "#C2410C", "#A83708", "#7E2A08",
];

/** Mantine set to the design's type, radii and control heights; colours come from tokens.css. */
export const theme = createTheme({
  colors: { ember },
  primaryColor: "ember",
  primaryShade: 7,
  fontFamily: '"Inter Variable", system-ui, sans-serif',
  fontFamilyMonospace: '"JetBrains Mono Variable", ui-monospace, monospace',
  fontSizes: { xs: "11px", sm: "13px", md: "13px", lg: "18px", xl: "20px" },
  radius: { xs: "3px", sm: "6px", md: "7px", lg: "10px", xl: "14px" },
  defaultRadius: "md",
  focusRing: "auto",
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Button: Button.extend({ defaultProps: { size: "compact-md", variant: "default" }, classNames: { root: "btn" } }),
    TextInput: TextInput.extend({ defaultProps: { size: "xs" } }),
    Select: Select.extend({ defaultProps: { size: "xs", allowDeselect: false, comboboxProps: { shadow: "md" } } }),
    Checkbox: Checkbox.extend({ defaultProps: { size: "xs", radius: "xs" } }),
    SegmentedControl: SegmentedControl.extend({ defaultProps: { size: "xs", radius: "sm" }, classNames: { root: "segmented" } }),
    Slider: Slider.extend({ defaultProps: { size: 4, thumbSize: 14 } }),
    Modal: Modal.extend({ defaultProps: { radius: "xl", centered: true, overlayProps: { backgroundOpacity: 0.36 } } }),
  },
});
