namespace Nano;

/// <summary>
/// A small training that shows that an architecture learns what it is for, with the figures that another program
/// reached with the same sizes and steps.
/// </summary>
/// <param name="Name">Its name.</param>
/// <param name="About">The task in a line.</param>
/// <param name="Run">Trains and measures.</param>
public sealed record ProvenTask(string Name, string About, Func<TaskRun, IReadOnlyList<TaskFigure>> Run)
{
    /// <summary>All tasks.</summary>
    public static IReadOnlyList<ProvenTask> All { get; } =
    [
        new("lstm", "Shakespeare by an LSTM of 192, with one state through the whole validation text",
            TextTasks.Lstm),
        new("text", "Shakespeare by an LSTM, a GPT-2, a Llama and a Mamba of 0.2 M parameters each",
            TextTasks.BesideEachOther),
        new("alibi", "Shakespeare with slopes and with rotated heads, trained on 64 characters, measured on 64 and 256",
            TextTasks.Slopes),
        new("bert", "masked characters of Shakespeare", MaskedTask.Run),
        new("mamba", "selective copying: three letters among nine blanks, by scans that choose and by constant ones",
            CopyTask.Run),
        new("t5", "three to eight letters backwards, by encoder and decoder", ReverseTasks.T5),
        new("luong", "three to eight letters backwards, by recurrent nets with attention", ReverseTasks.Luong),
        new("vit", "disc, square, cross or ring in noise", PictureTasks.Vit),
        new("clip", "the caption of a picture among sixteen", PictureTasks.Clip),
        new("llava", "captions of pictures by a decoder: the projector alone, then with the text model", LlavaTask.Run),
        new("ddpm", "points of eight clusters from noise", PointsTask.Run),
    ];

    /// <summary>The task of a name.</summary>
    /// <exception cref="NanoException">There is none.</exception>
    public static ProvenTask Find(string name) => All.FirstOrDefault(task => task.Name == name)
        ?? throw new NanoException($"there is no task {Quoted.Of(name)}",
            NearestMatch.Hint(name, [.. All.Select(task => task.Name)], "tasks"));
}
