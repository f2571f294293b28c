namespace Hearth.Runs;

/// <summary>What a length curriculum must keep to within its run; what the family allows is checked with the family.</summary>
internal static class LengthCurriculumRules
{
    private const string Field = "train.length_curriculum";
    private const int Shortest = 8;
    private const int Longest = 1 << 20;

    /// <summary>Adds an error for each stage that breaks a rule.</summary>
    public static void Check(TrainSpec train, List<FieldError> errors)
    {
        var stages = train.LengthCurriculum.Stages;
        for (int i = 0; i < stages.Count; i++)
        {
            int length = stages[i].Length;
            if (length is < Shortest or > Longest)
            {
                Add(errors, length, $"{Shortest} to {Words.Number(Longest)}", $"A stage of {Field} has rows of {Words.Number(length)} tokens.");
            }
            else if (train.BatchTokens % length != 0)
            {
                Add(errors, length, $"a divisor of {Words.Number(train.BatchTokens)}", $"Rows of {Words.Number(length)} in {Field} do not divide the {Words.Number(train.BatchTokens)} tokens of a step (train.batch_tokens).");
            }

            if (i > 0 && length <= stages[i - 1].Length)
            {
                Add(errors, length, $"more than {Words.Number(stages[i - 1].Length)}", $"Rows of {Words.Number(length)} in {Field} follow rows of {Words.Number(stages[i - 1].Length)}; lengths rise.");
            }

            if (i > 0 && stages[i].UntilStep is var until and not LengthCurriculum.Forever && until <= stages[i - 1].UntilStep)
            {
                Add(errors, until, $"more than {Words.Number(stages[i - 1].UntilStep)}", $"A stage of {Field} ends at step {Words.Number(until)}, and the one before it at {Words.Number(stages[i - 1].UntilStep)}; ends rise.");
            }
        }

        if (stages.Count > 0 && stages[^1].UntilStep is var end and not LengthCurriculum.Forever && end < train.Steps)
        {
            Add(errors, end, $"no end, or at least {Words.Number(train.Steps)}", $"The last stage of {Field} ends at step {Words.Number(end)}, before the run does at {Words.Number(train.Steps)} (train.steps).");
        }
    }

    private static void Add(List<FieldError> errors, int value, string allowed, string sentence) =>
        errors.Add(new FieldError(Field, Words.Number(value), allowed, $"{sentence} Allowed: {allowed}."));
}
