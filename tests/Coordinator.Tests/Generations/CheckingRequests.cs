using System.Text.Json;
using Hearth.Coordinator.Generations;
using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests.Generations;

public sealed class CheckingRequests
{
    [Theory]
    [InlineData("{}", "prompt", "Neither prompt nor messages is given. Allowed: text in prompt, or a list in messages.")]
    [InlineData("""{"prompt": "a", "messages": []}""", "messages", "prompt and messages are both given. Allowed: text in prompt, or a list in messages.")]
    [InlineData("""{"prompt": ""}""", "prompt", "prompt is 0 characters long. Allowed: 1 to 262,144 characters.")]
    [InlineData("""{"prompt": "a", "temperature": -1}""", "temperature", "temperature is -1. Allowed: 0 to 10.")]
    [InlineData("""{"prompt": "a", "temperature": "NaN"}""", "temperature", "temperature is NaN. Allowed: 0 to 10.")]
    [InlineData("""{"prompt": "a", "max_tokens": 0}""", "max_tokens", "max_tokens is 0. Allowed: 1 to 8,192.")]
    [InlineData("""{"prompt": "a", "top_p": 1.5}""", "top_p", "top_p is 1.5. Allowed: 0 to 1.")]
    [InlineData("""{"prompt": "a", "chances": 21}""", "chances", "chances is 21. Allowed: 0 to 20.")]
    [InlineData("""{"prompt": "a", "halt_threshold": 2}""", "halt_threshold", "halt_threshold is 2. Allowed: 0 to 1.")]
    [InlineData("""{"prompt": "a", "template": "llama"}""", "template", "template is llama. Allowed: auto, vuaf, chatml, plain.")]
    [InlineData("""{"prompt": "a", "speculative": true}""", "temperature", "speculative decodes greedily, and temperature is 0.8. Allowed: 0.")]
    [InlineData("""{"prompt": "a", "think": true}""", "think", "think is set without messages. Allowed: with messages.")]
    [InlineData("""{"messages": []}""", "messages", "messages is a list of 0. Allowed: 1 to 200 turns.")]
    [InlineData("""{"messages": [{"role": "user", "text": "a"}, {"role": "system", "text": "b"}, {"role": "user", "text": "c"}]}""", "messages[1].role", "messages[1].role is system. Allowed: user, assistant.")]
    [InlineData("""{"messages": [{"role": "user", "text": "a"}, {"role": "assistant", "text": "b"}]}""", "messages[1].role", "messages[1].role is assistant. Allowed: user, for the last one.")]
    [InlineData("""{"messages": [{"role": "user", "text": ""}]}""", "messages[0].text", "messages[0].text is 0 characters long. Allowed: 1 to 262,144 characters, none of them U+0000.")]
    public void A_wrong_field_is_named_with_what_is_allowed(string request, string field, string message)
    {
        var error = Assert.Single(GenerationChecks.Check(Read(request)));

        Assert.Equal((field, message), (error.Field, error.Message));
    }

    [Theory]
    [InlineData("""{"prompt": "a"}""")]
    [InlineData("""{"prompt": "a", "temperature": 0, "speculative": true, "top_p": 0, "halt_threshold": 1}""")]
    [InlineData("""{"messages": [{"role": "system", "text": "s"}, {"role": "user", "text": "a"}, {"role": "assistant", "text": "b"}, {"role": "user", "text": "c"}], "think": true, "category": "code"}""")]
    public void A_right_request_has_no_error(string request) => Assert.Empty(GenerationChecks.Check(Read(request)));

    [Theory]
    [InlineData("qovaryx", "halt_threshold", "keep_memory", "freeze_memory")]
    [InlineData("moa", "halt_threshold", "speculative", "keep_memory", "freeze_memory")]
    [InlineData("hybrid", "halt_threshold", "speculative", "keep_memory", "freeze_memory")]
    [InlineData("vuaf", "speculative", "keep_memory", "freeze_memory")]
    [InlineData("positronic", "halt_threshold")]
    public void What_a_family_cannot_do_is_refused_by_field(string family, params string[] fields)
    {
        var plan = Families.Plan(new ModelSpec { Family = family, Size = "nano" }, new List<FieldError>())!;

        var errors = GenerationChecks.Check(Read("""{"prompt": "a", "temperature": 0, "halt_threshold": 0.5, "speculative": true, "keep_memory": true, "freeze_memory": true}"""), plan);

        Assert.Equal(fields, errors.Select(e => e.Field));
        Assert.All(errors, e => Assert.Contains(plan.Title, e.Message, StringComparison.Ordinal));
    }

    private static GenerationRequest Read(string json) => JsonSerializer.Deserialize<GenerationRequest>(json, Json.Wire)!;
}
