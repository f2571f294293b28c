using Hearth.Cli.Demo;
using Hearth.Data;
using Xunit;

namespace Hearth.Cli.Tests;

public sealed class WordNetGlossesTests
{
    [Theory]
    [InlineData("02724 29 v 01 choke 0 002 @ 00001740 v 0000 01 + 02 00 | breathe with great difficulty; \"She choked with emotion\"  ", "What does \"choke\" mean?", "breathe with great difficulty.")]
    [InlineData("01740 03 n 01 take_a_breath 0 003 ~ 00001930 n 0000 | draw air (living or nonliving)  ", "What does \"take a breath\" mean?", "draw air (living or nonliving).")]
    [InlineData("00013 00 s 01 galore(ip) 0 001 & 00013 a 0000 | in great numbers: \"daffodils galore\"", "What does \"galore\" mean?", "in great numbers.")]
    public void A_synsets_first_word_is_asked_for_and_its_definition_is_the_answer(string line, string question, string answer) =>
        Assert.Equal([new ChatTurn("user", question), new ChatTurn("assistant", answer)], WordNetGlosses.Conversation(line));

    [Theory]
    [InlineData("  1 This software and database is being provided to you, the LICENSEE, by  ")]
    [InlineData("00013 00 s 01 odd 0 001 & 00013 a 0000 | \"an example alone\"")]
    [InlineData("no synset at all")]
    public void Other_lines_are_left_out(string line) => Assert.Null(WordNetGlosses.Conversation(line));
}
