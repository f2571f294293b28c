using Hearth.Models;

namespace Hearth.Training.Commands;

/// <summary>What a command says of its model once, beside its output.</summary>
internal static class Notices
{
    public static void Print(LanguageModel model)
    {
        if (model.DecodingNotice is { } notice)
        {
            Console.Error.WriteLine(notice);
        }
    }
}
