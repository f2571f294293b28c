using System.Text.Json;
using Hearth.Data;
using Xunit;

namespace Hearth.Tests;

public sealed class ChatRowTests
{
    [Theory]
    [InlineData("""{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes?"}]}""")]
    [InlineData("""{"messages":[{"role":"developer","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"H"},{"type":"text","text":"i"}]},{"role":"assistant","content":"Yes?","weight":1}]}""")]
    [InlineData("""{"conversations":[{"from":"system","value":"Be brief."},{"from":"human","value":"Hi"},{"from":"gpt","value":"Yes?"}]}""")]
    [InlineData("""{"instruction":"Hi","input":"","output":"Yes?","system":"Be brief."}""")]
    public void Every_form_of_a_conversation_is_the_same_conversation(string line) => Assert.Equal(
        """[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes?"}]""",
        ChatRow.ToJson(Right(line)));

    [Fact]
    public void An_input_follows_its_instruction()
    {
        var turns = Right("""{"instruction":"Translate.","input":"Haus","output":"house"}""");

        Assert.Equal(new ChatTurn("user", "Translate.\n\nHaus"), turns[0]);
    }

    [Theory]
    [InlineData("""{"messages":[]}""", "its messages is empty.")]
    [InlineData("""{"messages":"hi"}""", "its messages is \"hi\". Allowed: a list of turns")]
    [InlineData("""{"messages":[7]}""", "its messages[0] is 7. Allowed: an object")]
    [InlineData("""{"messages":[{"role":"user","content":"a"},{"role":"tool","content":"b"}]}""", "its messages[1].role is tool. Allowed: user, human, assistant")]
    [InlineData("""{"messages":[{"role":"user","content":"a"},{"role":"system","content":"b"}]}""", "its messages[1].role is system. Allowed: user")]
    [InlineData("""{"messages":[{"role":"user","content":""},{"role":"assistant","content":"b"}]}""", "its messages[0].content is \"\".")]
    [InlineData("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null}]}""", "its messages[1].content is null.")]
    [InlineData("""{"messages":[{"role":"user","content":[{"type":"image_url"}]},{"role":"assistant","content":"b"}]}""", "its messages[0].content is a list with something other than parts of text.")]
    [InlineData("""{"messages":[{"role":"user","content":"\ud800"},{"role":"assistant","content":"b"}]}""", "its messages[0].content is \"\\ud800\".")]
    [InlineData("""{"messages":[{"role":"user","content":"a"}]}""", "it has no turn of the assistant.")]
    [InlineData("""{"conversations":[{"from":"human","value":"a"},{"from":"gpt"}]}""", "its conversations[1].value is missing.")]
    [InlineData("""{"instruction":"a","output":""}""", "its output is \"\".")]
    [InlineData("""{"instruction":"a","output":"b","input":3}""", "its input is 3.")]
    public void A_wrong_one_is_refused_by_field_and_value(string line, string expected)
    {
        using var json = JsonDocument.Parse(line);
        Assert.True(ChatRow.Is(json.RootElement));

        Assert.StartsWith(expected, ChatRow.Read(json.RootElement, out var turns), StringComparison.Ordinal);
        Assert.Null(turns);
    }

    [Theory]
    [InlineData("""{"text":"a"}""")]
    [InlineData("""{"instruction":"a"}""")]
    [InlineData("7")]
    public void Other_lines_are_no_conversations(string line)
    {
        using var json = JsonDocument.Parse(line);

        Assert.False(ChatRow.Is(json.RootElement));
    }

    private static IReadOnlyList<ChatTurn> Right(string line)
    {
        using var json = JsonDocument.Parse(line);
        Assert.Null(ChatRow.Read(json.RootElement, out var turns));
        return turns!;
    }
}
