namespace Hearth.Training.Evaluation;

/// <summary>A window of a token stream: rows [Start, Start+Length), each predicting the token after it.</summary>
/// <param name="FirstScored">Rows before this one only give context.</param>
public readonly record struct EvalWindow(int Start, int Length, int FirstScored)
{
    public int Scored => Length - FirstScored;
}

/// <summary>Windows over a stream whose targets are tokens 1..n. Pure.</summary>
public static class EvalWindows
{
    /// <summary>Non-overlapping windows; a remainder shorter than a window is dropped.</summary>
    public static IEnumerable<EvalWindow> Disjoint(int targets, int length)
    {
        for (int start = 0; start + length <= targets; start += length)
        {
            yield return new EvalWindow(start, length, 0);
        }
    }

    /// <summary>Windows that end at target length, length + stride, … and at the last; each scores what none before it did.</summary>
    public static IEnumerable<EvalWindow> Sliding(int targets, int length, int stride)
    {
        int scored = 0;
        for (int end = Math.Min(length, targets); scored < targets; end = Math.Min(end + stride, targets))
        {
            int start = Math.Max(0, end - length);
            yield return new EvalWindow(start, end - start, scored - start);
            scored = end;
        }
    }
}
