using System.Text.Json;
using System.Text.RegularExpressions;
using Hearth.Coordinator.Database;
using Xunit;

namespace Hearth.Tests;

public sealed class StoringText
{
    [Theory]
    [InlineData("plain ä 💥", "plain ä 💥")]
    [InlineData("a\0b", "a\uFFFDb")]
    [InlineData(@"\uD800", "\uFFFD")]
    [InlineData(@"x\uDC00\uD83D\uDCA5", "x\uFFFD💥")]
    public void Nul_and_halves_of_pairs_are_replaced_and_all_else_stays(string text, string stored) =>
        Assert.Equal(stored, StoredText.Of(Regex.Unescape(text))); // An attribute holds no half of a pair, so that it comes escaped.

    [Theory]
    [InlineData(null, 3, null)]
    [InlineData("abc", 3, "abc")]
    [InlineData("abcd", 3, "abc…")]
    [InlineData("ab💥d", 3, "ab…")]
    public void A_cut_keeps_pairs_whole(string? text, int most, string? stored) => Assert.Equal(stored, StoredText.Of(text, most));

    [Theory]
    [InlineData("""{"a":"x\u0000y"}""", "x\uFFFDy")]
    [InlineData("""{"a":"\ud800"}""", "\uFFFD")]
    [InlineData("""{"a":"\ud83d\udca5"}""", "💥")]
    [InlineData("""{"a":"\udc00\ud83d\udca5\ud83d"}""", "\uFFFD💥\uFFFD")]
    [InlineData("""{"a":"\\u0000"}""", "\\u0000")]
    [InlineData("""{"a":"\\\u0000"}""", "\\\uFFFD")]
    [InlineData("""{"a":"\n\"\u0041"}""", "\n\"A")]
    public void Escapes_in_json_are_read_as_json_reads_them(string json, string value)
    {
        using var stored = JsonDocument.Parse(StoredText.OfJson(json));

        Assert.Equal(value, stored.RootElement.GetProperty("a").GetString());
    }
}
