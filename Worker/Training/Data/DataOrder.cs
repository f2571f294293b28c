using Hearth.Runs;

namespace Hearth.Training.Data;

/// <summary>Which fields of a run decide the rows that a step reads.</summary>
public static class DataOrder
{
    /// <summary>Those in which the run that goes on differs from the one that wrote a checkpoint, in words; empty when a resume is exact.</summary>
    public static IEnumerable<string> Differences(RunSpec then, RunSpec now)
    {
        (string Field, object Then, object Now)[] fields =
        [
            ("data.seq_len", then.Data.SeqLen, now.Data.SeqLen),
            ("data.doc_mask", then.Data.DocMask, now.Data.DocMask),
            ("train.batch_tokens", then.Train.BatchTokens, now.Train.BatchTokens),
            ("train.length_curriculum", then.Train.LengthCurriculum, now.Train.LengthCurriculum),
        ];
        return fields.Where(f => !f.Then.Equals(f.Now)).Select(f => $"{f.Field} was {Shown(f.Then)} and is {Shown(f.Now)}");
    }

    private static string Shown(object value) => value.ToString() is { Length: > 0 } text ? text : "none";
}
