import { Button, Menu } from "@mantine/core";
import { IconChevronDown } from "@tabler/icons-react";
import type { Recipe } from "../model/recipes";

interface Props {
  readonly recipes: readonly Recipe[];
  readonly chosen: string;
  readonly onChoose: (name: string) => void;
}

const KINDS = [["pretrain", "Pretraining"], ["sft", "Fine-tuning"], ["sweep", "Sweeps"]] as const;

/** Recipes by kind, each with what it is. */
export function RecipeMenu({ recipes, chosen, onChoose }: Props) {
  const shown = KINDS.map(([kind, title]) => ({ kind, title, own: recipes.filter((r) => r.kind === kind) })).filter(({ own }) => own.length > 0);
  return (
    <Menu position="bottom-end" width={420} withinPortal>
      <Menu.Target>
        <Button variant="default" rightSection={<IconChevronDown size={14} stroke={1.6} aria-hidden />}>{recipes.find((r) => r.name === chosen)?.name ?? "Recipes"}</Button>
      </Menu.Target>
      <Menu.Dropdown className="recipes">
        {shown.map(({ kind, title, own }) => [
          <Menu.Label key={kind}>{title}</Menu.Label>,
          ...own.map((recipe) => (
            <Menu.Item key={recipe.name} onClick={() => onChoose(recipe.name)} title={recipe.about}>
              <span className="mono small">{recipe.name}</span>
              <div className="small soft">{recipe.title}</div>
            </Menu.Item>
          )),
        ])}
      </Menu.Dropdown>
    </Menu>
  );
}
