namespace Nano;

/// <summary>The order in which the rows of training batches are chosen.</summary>
public enum Sampling
{
    /// <summary>Every row begins at a random place of the text, whatever was seen before.</summary>
    Random,

    /// <summary>Every row once per epoch, in an order of its own for each epoch.</summary>
    Epochs,

    /// <summary>
    /// Every row once per epoch, from the first to the last, as llm.c's training on the processor
    /// reads its file.
    /// </summary>
    InOrder,
}
