using Hearth.Cli.Demo;
using Hearth.Cli.Evaluate;
using Xunit;

namespace Hearth.Cli.Tests;

public sealed class BuiltInTaskTests
{
    [Theory]
    [InlineData(BuiltInTask.WordNet)]
    [InlineData(BuiltInTask.Cloze)]
    public void A_task_has_five_hundred_items_with_one_right_of_four_answers_always_the_same(string name)
    {
        var items = BuiltInTask.Make(name);

        Assert.Equal(500, items.Count);
        Assert.All(items, item => Assert.Equal(4, item.Choices.Distinct(StringComparer.OrdinalIgnoreCase).Count()));
        Assert.All(Enumerable.Range(0, 4), answer => Assert.InRange(items.Count(i => i.Answer == answer), 90, 160));
        Assert.Equal(items.Select(i => (i.Prompt, i.Answer)), BuiltInTask.Make(name).Select(i => (i.Prompt, i.Answer)));
        Assert.Equal(items.Count, items.DistinctBy(i => i.Prompt + i.Choices[i.Answer]).Count());
    }

    [Fact]
    public void The_right_answer_is_the_definitions_own_word()
    {
        var entries = WordNetGlosses.Entries(WordNetGlosses.Find()).ToLookup(e => e.Definition, e => e.Word);

        Assert.All(BuiltInTask.Make(BuiltInTask.WordNet), item =>
        {
            string definition = item.Prompt[..item.Prompt.IndexOf(" is the meaning of the word \"", StringComparison.Ordinal)];
            Assert.Contains(item.Choices[item.Answer].TrimEnd('"'), entries[definition].Concat(entries[char.ToLowerInvariant(definition[0]) + definition[1..]]));
        });
    }

    [Fact]
    public void A_sentence_is_asked_for_its_last_word_and_the_others_are_of_the_same_text()
    {
        const string Text = "First words here. This sentence is long enough for somebody who wants to find the missing ending. Other letters alpha beta gamma delta follow. ";

        var item = Assert.Single(BuiltInTask.OfTexts([Text]));

        Assert.Equal(("This sentence is long enough for somebody who wants to find the missing", " ending"), (item.Prompt, item.Choices[item.Answer]));
        Assert.All(item.Choices, choice => Assert.Contains(choice.Trim(), Text, StringComparison.Ordinal));
    }
}
