/** What is so unless the configuration says otherwise, where more than one place has to know it. */

/** The nf_tables table; its name also decides which objects of the kernel are ours. */
export const defaultTable = "ipipou";
